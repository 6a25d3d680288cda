//! `lookup(table, key, [otherwise])`

use std::collections::HashMap;

use vrl::compiler::prelude::*;

use super::text_of;

/// Looks a value up in a table that is written in the program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lookup;

impl Function for Lookup {
    fn identifier(&self) -> &'static str {
        "lookup"
    }

    fn usage(&self) -> &'static str {
        "What a table written in the mapping has for this key; `otherwise`, or null, when it has nothing."
    }

    fn category(&self) -> &'static str {
        "Belfry"
    }

    fn return_kind(&self) -> u16 {
        kind::ANY
    }

    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn parameters(&self) -> &'static [Parameter] {
        const PARAMETERS: &[Parameter] = &[
            Parameter::required("table", kind::OBJECT, "an object written in the program"),
            Parameter::required("key", kind::ANY, "what to look up"),
            Parameter::optional("otherwise", kind::ANY, "the answer for a key that the table has not"),
        ];
        PARAMETERS
    }

    fn compile(&self, state: &TypeState, _: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        let table = match arguments.required_literal("table", state)? {
            Value::Object(table) => table.into_iter().map(|(k, v)| (k.as_str().to_owned(), v)).collect(),
            value => {
                return Err(function::Error::InvalidArgument {
                    keyword: "table",
                    value,
                    error: "a table is an object",
                }
                .into());
            }
        };
        Ok(Call { table, key: arguments.required("key"), otherwise: arguments.optional("otherwise") }.as_expr())
    }
}

#[derive(Debug, Clone)]
struct Call {
    table: HashMap<String, Value>,
    key: Box<dyn Expression>,
    otherwise: Option<Box<dyn Expression>>,
}

impl FunctionExpression for Call {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let key = self.key.resolve(ctx)?;
        let found = text_of(&key).and_then(|k| self.table.get(k.as_ref()).cloned());
        match (found, &self.otherwise) {
            (Some(found), _) => Ok(found),
            (None, Some(otherwise)) => otherwise.resolve(ctx),
            (None, None) => Ok(Value::Null),
        }
    }

    fn type_def(&self, state: &TypeState) -> TypeDef {
        let answers = self.table.values().map(Kind::from).fold(Kind::null(), |all, one| all.union(one));
        let kind = match &self.otherwise {
            Some(otherwise) => answers.union(otherwise.type_def(state).kind().clone()),
            None => answers,
        };
        TypeDef::from(kind).infallible()
    }
}
