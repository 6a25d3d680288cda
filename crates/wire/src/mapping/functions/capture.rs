//! `capture(value, r'…(?P<name>…)…')`

use regex::Regex;
use vrl::compiler::prelude::*;

/// The named groups of a regular expression, as an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Capture;

impl Function for Capture {
    fn identifier(&self) -> &'static str {
        "capture"
    }

    fn usage(&self) -> &'static str {
        "The named groups of a regular expression as an object: `capture(x, r'for (?P<user>\\S+)').user`. null when it does not match."
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
            Parameter::required("value", kind::ANY, "any value"),
            Parameter::required("pattern", kind::REGEX, "a regular expression written in the program"),
        ];
        PARAMETERS
    }

    fn compile(&self, state: &TypeState, _: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        let ConstOrExpr::Const(pattern) = arguments.required_regex("pattern", state) else {
            let expr = arguments.required_expr("pattern");
            return Err(function::Error::ExpectedStaticExpression { keyword: "pattern", expr: Box::new(expr) }.into());
        };
        Ok(Call { value: arguments.required("value"), pattern }.as_expr())
    }
}

#[derive(Debug, Clone)]
struct Call {
    value: Box<dyn Expression>,
    pattern: Regex,
}

impl FunctionExpression for Call {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let value = self.value.resolve(ctx)?;
        let Some(text) = value.to_str_lossy() else { return Ok(Value::Null) };
        let Some(found) = self.pattern.captures(&text) else { return Ok(Value::Null) };
        let groups = self
            .pattern
            .capture_names()
            .flatten()
            .filter_map(|name| Some((KeyString::from(name), Value::from(found.name(name)?.as_str()))))
            .collect();
        Ok(Value::Object(groups))
    }

    fn type_def(&self, _: &TypeState) -> TypeDef {
        let groups = Kind::object(Collection::from_unknown(Kind::bytes().or_undefined()));
        TypeDef::from(groups.or_null()).infallible()
    }
}
