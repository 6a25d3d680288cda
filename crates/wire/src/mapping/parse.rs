//! From the words of a program to what is carried out, with what can be known about its values checked on the way.

use std::collections::HashMap;

use event::fields::{self, Kind};

use super::expr::{Binary, Const, Expr, INPUT_NAMES, Parts, Pattern, Statement};
use super::functions::{self, Function, Usual};
use super::lex::{Fault, Token, Word};
use super::types::Kinds;

/// How deep expressions and blocks may lie in each other.
const DEPTH_MAX: usize = 64;
const VARIABLES_MAX: usize = 10_000;
const PATTERNS_MAX: usize = 500;

/// What the parser made of a program.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub statements: Vec<Statement>,
    pub variables: usize,
    /// The fields of the event that the program names, each by its path; their places are their slots.
    pub fields: Vec<Vec<String>>,
    pub warnings: Vec<Fault>,
}

pub(super) fn parse(words: &[Word<'_>]) -> Result<Parsed, Fault> {
    let mut parser = Parser { words, ..Parser::default() };
    let statements = parser.block(false)?;
    let unread = parser.variables.iter().filter(|(_, variable)| !variable.read && !variable.name_starts_with_dash);
    let mut warnings: Vec<Fault> = unread
        .map(|(name, variable)| {
            Fault::new(variable.at, format!("the variable {name} is never used")).help("leave it out, or use it")
        })
        .collect();
    warnings.append(&mut parser.warnings);
    warnings.sort_by_key(|fault| fault.at);
    Ok(Parsed { statements, variables: parser.variables.len(), fields: parser.fields, warnings })
}

#[derive(Default)]
struct Parser<'w, 'p> {
    words: &'w [Word<'p>],
    at: usize,
    depth: usize,
    patterns: usize,
    variables: HashMap<&'p str, Variable>,
    fields: Vec<Vec<String>>,
    warnings: Vec<Fault>,
}

struct Variable {
    slot: usize,
    kinds: Kinds,
    read: bool,
    at: usize,
    name_starts_with_dash: bool,
    /// A variable that only ever holds one pattern stands for it.
    pattern: Option<String>,
}

type Typed = (Expr, Kinds);

impl<'w, 'p> Parser<'w, 'p> {
    fn token(&self) -> &'w Token<'p> {
        self.words.get(self.at).map_or(&Token::End, |word| &word.token)
    }

    fn next_token(&self, ahead: usize) -> &'w Token<'p> {
        self.words.get(self.at + ahead).map_or(&Token::End, |word| &word.token)
    }

    /// Where the word at hand stands in the program.
    fn place(&self) -> usize {
        self.words.get(self.at).or(self.words.last()).map_or(0, |word| word.span.start)
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.token(), Token::Sign(found) if *found == sign)
    }

    fn accept(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str, of: &str) -> Result<(), Fault> {
        if self.accept(sign) {
            return Ok(());
        }
        Err(Fault::new(self.place(), format!("{sign} is missing here, {of}, instead of {}", self.shown())))
    }

    fn shown(&self) -> String {
        match self.token() {
            Token::End => "the end of the line".to_owned(),
            Token::Name(name) => (*name).to_owned(),
            Token::Text(text) => format!("\"{text}\""),
            Token::Pattern(_) => "a pattern".to_owned(),
            Token::Number(number) => number.to_string(),
            Token::Sign(sign) => (*sign).to_owned(),
        }
    }

    fn skip_ends(&mut self) {
        while self.at < self.words.len() && matches!(self.token(), Token::End) {
            self.at += 1;
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::new(self.place(), format!("expressions lie more than {DEPTH_MAX} deep")));
        }
        let done = inner(self);
        self.depth -= 1;
        done
    }

    /// Statements up to the end, or up to the `}` of a block.
    fn block(&mut self, braces: bool) -> Result<Vec<Statement>, Fault> {
        let mut statements = Vec::new();
        loop {
            self.skip_ends();
            if self.at >= self.words.len() {
                if braces {
                    return Err(Fault::new(self.place(), "a block has no end").help("close it with }"));
                }
                return Ok(statements);
            }
            if braces && self.accept("}") {
                return Ok(statements);
            }
            statements.push(self.deeper(Self::statement)?);
            let ends = matches!(self.token(), Token::End) || braces && self.is("}");
            if !ends {
                let fault = Fault::new(self.place(), format!("{} does not belong here", self.shown()));
                return Err(fault.help("a statement ends with its line"));
            }
        }
    }

    fn statement(&mut self) -> Result<Statement, Fault> {
        match self.token() {
            Token::Name("if") => {
                let (branches, otherwise, _) = self.branches()?;
                Ok(Statement::If(branches, otherwise))
            }
            Token::Name("abort") => {
                self.at += 1;
                if matches!(self.token(), Token::End) || self.is("}") {
                    return Ok(Statement::Abort(None));
                }
                Ok(Statement::Abort(Some(self.expression()?.0)))
            }
            Token::Name(name) if matches!(self.next_token(1), Token::Sign("=")) => self.set_variable(name),
            Token::Sign(".") => {
                let start = self.at;
                let place = self.place();
                self.at += 1;
                let path = self.path()?;
                if !self.accept("=") {
                    self.at = start;
                    return Ok(Statement::Value(self.expression()?.0));
                }
                self.set_field(path, place)
            }
            _ => Ok(Statement::Value(self.expression()?.0)),
        }
    }

    fn set_variable(&mut self, name: &'p str) -> Result<Statement, Fault> {
        let at = self.place();
        if ["true", "false", "null", "if", "else", "abort"].contains(&name) {
            return Err(Fault::new(at, format!("{name} is a word of the language, no name of a variable")));
        }
        self.at += 2;
        let pattern = match (self.token(), self.next_token(1)) {
            (Token::Pattern(pattern), Token::End) => Some(pattern.clone()),
            _ => None,
        };
        let (expr, kinds) = match &pattern {
            Some(pattern) => {
                self.pattern(pattern)?;
                self.at += 1;
                (Expr::Const(Const::Null), Kinds::NULL)
            }
            None => self.expression()?,
        };
        let slots = self.variables.len();
        if slots >= VARIABLES_MAX {
            return Err(Fault::new(at, format!("there are more than {VARIABLES_MAX} variables")));
        }
        let variable = self.variables.entry(name).or_insert_with(|| Variable {
            slot: slots,
            kinds: Kinds::NULL,
            read: false,
            at,
            name_starts_with_dash: name.starts_with('_'),
            pattern: pattern.clone(),
        });
        if variable.pattern != pattern {
            let fault = Fault::new(at, format!("{name} is a pattern at one place and a value at another"));
            return Err(fault.help("use two names"));
        }
        variable.kinds = variable.kinds.or(kinds);
        Ok(Statement::Variable(variable.slot, expr))
    }

    fn set_field(&mut self, path: Vec<Segment>, at: usize) -> Result<Statement, Fault> {
        let mut names = Vec::with_capacity(path.len());
        for segment in path {
            match segment {
                Segment::Name(name) => names.push(name),
                Segment::Index(_) => {
                    let fault = Fault::new(at, "an item of a list can't be set");
                    return Err(fault.help("set the whole list: .user.roles = [a, b]"));
                }
            }
        }
        let first = names.first().map(String::as_str).unwrap_or_default();
        if names.is_empty() {
            return Err(Fault::new(at, "the event as a whole can't be set").help("set its fields: .user.name = …"));
        }
        if INPUT_NAMES.contains(&first) {
            return Err(Fault::new(at, format!(".{first} is read-only")).help("it is what came in"));
        }
        let dotted = names.join(".");
        let (expr, kinds) = self.expression()?;
        self.check_field(&dotted, &expr, kinds, at)?;
        Ok(Statement::Field(self.slot(names), expr))
    }

    /// Does the value fit what the field holds?
    fn check_field(&mut self, dotted: &str, expr: &Expr, kinds: Kinds, at: usize) -> Result<(), Fault> {
        if let Some(meant) = fields::misspelt(dotted) {
            let fault = Fault::new(at, format!(".{dotted} is no field that reports know"));
            self.warnings.push(fault.help(format!("did you mean .{meant}?")));
        }
        let text = match expr {
            Expr::Const(Const::Text(text)) => Some(text.as_ref()),
            _ => None,
        };
        match (dotted, text) {
            ("event.action", Some(action)) if !event::admit::is_action(action) => {
                let fault = Fault::new(at, format!("{action:?} can't be an action"));
                return Err(fault.help("use lower-case letters, digits, dot, dash and underscore, at most 128"));
            }
            ("event.outcome", Some(outcome)) if !["success", "failure", "unknown"].contains(&outcome) => {
                return Err(Fault::new(at, format!("{outcome:?} is none of success, failure, unknown")));
            }
            _ => {}
        }
        let Some(field) = fields::find(dotted) else { return Ok(()) };
        let accepts = match field.kind {
            Kind::Keyword | Kind::Text => Kinds::SCALAR.or(Kinds::LIST),
            Kind::Ip => Kinds::TEXT.or(Kinds::LIST),
            Kind::Number | Kind::Date => Kinds::NUMBER.or(Kinds::TEXT),
            Kind::Boolean => Kinds::BOOL.or(Kinds::TEXT),
        };
        if kinds != Kinds::NULL && !kinds.without(Kinds::NULL).meets(accepts.without(Kinds::NULL))
            || kinds == Kinds::OBJECT
        {
            let holds = match field.kind {
                Kind::Keyword | Kind::Text => "a text",
                Kind::Ip => "an IP address",
                Kind::Number => "a number",
                Kind::Date => "a time",
                Kind::Boolean => "true or false",
            };
            return Err(Fault::new(at, format!(".{dotted} holds {holds}, this is {}", kinds.words())));
        }
        Ok(())
    }

    fn slot(&mut self, names: Vec<String>) -> usize {
        match self.fields.iter().position(|known| *known == names) {
            Some(slot) => slot,
            None => {
                self.fields.push(names);
                self.fields.len() - 1
            }
        }
    }

    /// `if a { … } else if b { … } else { … }`, and the kinds of its value.
    #[expect(clippy::type_complexity, reason = "the parts of an `if`, taken apart at once by both callers")]
    fn branches(&mut self) -> Result<(Vec<(Expr, Vec<Statement>)>, Vec<Statement>, Kinds), Fault> {
        let mut branches = Vec::new();
        loop {
            self.at += 1;
            let (condition, _) = self.expression()?;
            self.expect("{", "after the condition")?;
            branches.push((condition, self.deeper(|parser| parser.block(true))?));
            let before = self.at;
            self.skip_ends();
            if !matches!(self.token(), Token::Name("else")) {
                self.at = before;
                return Ok((branches, Vec::new(), Kinds::ANY));
            }
            self.at += 1;
            if matches!(self.token(), Token::Name("if")) {
                continue;
            }
            self.expect("{", "after else")?;
            let otherwise = self.deeper(|parser| parser.block(true))?;
            return Ok((branches, otherwise, Kinds::ANY));
        }
    }

    fn expression(&mut self) -> Result<Typed, Fault> {
        self.deeper(|parser| parser.operators(0))
    }

    /// Operators from `level` up, by how tight they bind.
    fn operators(&mut self, level: usize) -> Result<Typed, Fault> {
        const LEVELS: [&[(&str, Binary)]; 6] = [
            &[("||", Binary::Or), ("??", Binary::Else)],
            &[("&&", Binary::And)],
            &[("==", Binary::Same), ("!=", Binary::Differs)],
            &[("<=", Binary::LessOrSame), (">=", Binary::MoreOrSame), ("<", Binary::Less), (">", Binary::More)],
            &[("+", Binary::Plus), ("-", Binary::Minus)],
            &[("*", Binary::Times), ("/", Binary::Over)],
        ];
        let Some(operators) = LEVELS.get(level) else { return self.prefix() };
        let (mut left, mut kinds) = self.operators(level + 1)?;
        loop {
            let Some((sign, operator)) = operators.iter().find(|(sign, _)| self.is(sign)) else {
                return Ok((left, kinds));
            };
            let place = self.place();
            self.at += 1;
            self.skip_ends();
            let (right, right_kinds) = self.operators(level + 1)?;
            kinds = match operator {
                Binary::Or | Binary::Else => kinds.without(Kinds::NULL).or(right_kinds),
                Binary::And
                | Binary::Same
                | Binary::Differs
                | Binary::Less
                | Binary::LessOrSame
                | Binary::More
                | Binary::MoreOrSame => Kinds::BOOL,
                Binary::Plus => Kinds::TEXT.or(Kinds::NUMBER).or(Kinds::NULL),
                Binary::Minus | Binary::Times | Binary::Over => Kinds::NUMBER.or(Kinds::NULL),
            };
            if matches!(operator, Binary::Minus | Binary::Times | Binary::Over) && !right_kinds.meets(Kinds::NUMBER) {
                let fault = Fault::new(place, format!("{sign} reckons with numbers, this is {}", right_kinds.words()));
                return Err(fault);
            }
            left = Expr::Binary(*operator, Box::new(left), Box::new(right));
        }
    }

    fn prefix(&mut self) -> Result<Typed, Fault> {
        if self.accept("!") {
            let (of, _) = self.deeper(Self::prefix)?;
            return Ok((Expr::Not(Box::new(of)), Kinds::BOOL));
        }
        if self.accept("-") {
            let (of, _) = self.deeper(Self::prefix)?;
            let of = match of {
                Expr::Const(Const::Number(number)) => Expr::Const(Const::Number(-number)),
                of => Expr::Negative(Box::new(of)),
            };
            return Ok((of, Kinds::NUMBER.or(Kinds::NULL)));
        }
        let (mut expr, mut kinds) = self.primary()?;
        while self.is(".") || self.is("[") {
            let place = self.place();
            for segment in self.path_further()? {
                if !kinds.meets(Kinds::OBJECT.or(Kinds::LIST)) || kinds == Kinds::NULL {
                    return Err(Fault::new(place, format!("{} has no members", kinds.words())));
                }
                expr = match segment {
                    Segment::Name(name) => expr.member(name),
                    Segment::Index(index) => Expr::At(Box::new(expr), index),
                };
                kinds = Kinds::ANY;
            }
        }
        Ok((expr, kinds))
    }

    fn primary(&mut self) -> Result<Typed, Fault> {
        let place = self.place();
        match self.token() {
            Token::Text(text) => {
                self.at += 1;
                Ok((Expr::Const(Const::Text(text.as_str().into())), Kinds::TEXT))
            }
            Token::Number(number) => {
                self.at += 1;
                Ok((Expr::Const(Const::Number(*number)), Kinds::NUMBER))
            }
            Token::Pattern(_) => {
                let fault = Fault::new(place, "a pattern can't be computed with");
                Err(fault.help("give it to match, capture or replace, or name it: failed = r'…'"))
            }
            Token::Name("true" | "false") => {
                let value = matches!(self.token(), Token::Name("true"));
                self.at += 1;
                Ok((Expr::Const(Const::Bool(value)), Kinds::BOOL))
            }
            Token::Name("null") => {
                self.at += 1;
                Ok((Expr::Const(Const::Null), Kinds::NULL))
            }
            Token::Name("if") => {
                let (branches, otherwise, kinds) = self.branches()?;
                Ok((Expr::If(branches, otherwise), kinds))
            }
            Token::Name(name) if matches!(self.next_token(1), Token::Sign("(")) => {
                self.at += 2;
                self.call(name, place)
            }
            Token::Name(name) => {
                self.at += 1;
                self.variable(name, place)
            }
            Token::Sign("(") => {
                self.at += 1;
                let inner = self.expression()?;
                self.expect(")", "to close the parenthesis")?;
                Ok(inner)
            }
            Token::Sign("[") => {
                self.at += 1;
                let mut items = Vec::new();
                while !self.accept("]") {
                    items.push(self.expression()?.0);
                    if !self.accept(",") && !self.is("]") {
                        return Err(Fault::new(self.place(), "a comma or ] is missing here"));
                    }
                }
                Ok((list(items), Kinds::LIST))
            }
            Token::Sign("{") => {
                self.at += 1;
                self.object()
            }
            Token::Sign(".") => {
                self.at += 1;
                let path = self.path()?;
                self.read_path(path, place)
            }
            Token::Sign("%") => {
                self.at += 1;
                let Token::Name(name @ ("peer" | "received_at")) = self.token() else {
                    return Err(Fault::new(place, "there is %peer and %received_at"));
                };
                self.at += 1;
                let input = INPUT_NAMES.iter().position(|known| known == name).unwrap_or_default();
                Ok((Expr::Input(input), Kinds::TEXT.or(Kinds::NULL)))
            }
            _ => Err(Fault::new(place, format!("a value is missing here, instead of {}", self.shown()))),
        }
    }

    fn object(&mut self) -> Result<Typed, Fault> {
        let mut members: Vec<(Box<str>, Expr)> = Vec::new();
        loop {
            self.skip_ends();
            if self.accept("}") {
                break;
            }
            let name = match self.token() {
                Token::Text(name) => name.as_str().into(),
                Token::Name(name) => (*name).into(),
                _ => return Err(Fault::new(self.place(), "a name in quotes is missing here, or }")),
            };
            self.at += 1;
            self.expect(":", "after the name")?;
            self.skip_ends();
            let (value, _) = self.expression()?;
            members.push((name, value));
            self.skip_ends();
            if !self.accept(",") && !self.is("}") {
                return Err(Fault::new(self.place(), "a comma or } is missing here"));
            }
        }
        let constant = members.iter().all(|(_, value)| matches!(value, Expr::Const(_)));
        if !constant {
            return Ok((Expr::Object(members), Kinds::OBJECT));
        }
        let members = members.into_iter().filter_map(|(name, value)| match value {
            Expr::Const(value) => Some((name, value)),
            _ => None,
        });
        Ok((Expr::Const(Const::Object(members.collect())), Kinds::OBJECT))
    }

    fn variable(&mut self, name: &'p str, place: usize) -> Result<Typed, Fault> {
        let near = |known: &&&str| strsim::osa_distance(known, name) <= 2;
        match self.variables.get_mut(name) {
            Some(variable) if variable.pattern.is_some() => {
                Err(Fault::new(place, format!("{name} is a pattern; only match, capture and replace take one")))
            }
            Some(variable) => {
                variable.read = true;
                Ok((Expr::Variable(variable.slot), variable.kinds))
            }
            None => {
                let fault = Fault::new(place, format!("there is no variable {name}"));
                Err(match self.variables.keys().find(near) {
                    Some(meant) => fault.help(format!("did you mean {meant}?")),
                    None => fault.help(format!("a field of the record is .native.{name}, a text is \"{name}\"")),
                })
            }
        }
    }

    fn read_path(&mut self, path: Vec<Segment>, place: usize) -> Result<Typed, Fault> {
        let mut path = path.into_iter().peekable();
        let input = match path.peek() {
            Some(Segment::Name(first)) => INPUT_NAMES.iter().position(|known| known == first),
            _ => return Err(Fault::new(place, "a field needs a name: .native.user")),
        };
        if let Some(input) = input {
            path.next();
            let expr = path.fold(Expr::Input(input), |of, segment| match segment {
                Segment::Name(name) => of.member(name),
                Segment::Index(index) => Expr::At(Box::new(of), index),
            });
            return Ok((expr, Kinds::ANY));
        }
        let mut names = Vec::new();
        while let Some(Segment::Name(name)) = path.next_if(|segment| matches!(segment, Segment::Name(_))) {
            names.push(name);
        }
        let field = Expr::Field(self.slot(names));
        let expr = path.fold(field, |of, segment| match segment {
            Segment::Name(name) => of.member(name),
            Segment::Index(index) => Expr::At(Box::new(of), index),
        });
        Ok((expr, Kinds::ANY))
    }

    /// What follows the first dot of a path: `native.a."b c"[0].d`.
    fn path(&mut self) -> Result<Vec<Segment>, Fault> {
        let first = self.segment()?;
        let mut path = vec![first];
        path.extend(self.path_further()?);
        Ok(path)
    }

    /// `.b."c d"[0]`
    fn path_further(&mut self) -> Result<Vec<Segment>, Fault> {
        let mut path = Vec::new();
        loop {
            if self.accept(".") {
                path.push(self.segment()?);
            } else if self.is("[") {
                self.at += 1;
                let negative = self.accept("-");
                let Token::Number(number) = self.token() else {
                    return Err(Fault::new(self.place(), "a number is missing here: the place in the list"));
                };
                self.at += 1;
                self.expect("]", "after the number")?;
                #[expect(clippy::cast_possible_truncation, reason = "a place beyond i64 is beyond every list")]
                let index = *number as i64;
                path.push(Segment::Index(if negative { -index } else { index }));
            } else {
                return Ok(path);
            }
        }
    }

    fn segment(&mut self) -> Result<Segment, Fault> {
        let name = match self.token() {
            Token::Name(name) => (*name).to_owned(),
            Token::Text(name) => name.clone(),
            // `.native.4624`
            Token::Number(number) => number.to_string(),
            _ => {
                let fault = Fault::new(self.place(), format!("a name is missing here, instead of {}", self.shown()));
                return Err(fault.help("a name with unusual characters is put in quotes: .native.\"user-name\""));
            }
        };
        self.at += 1;
        Ok(Segment::Name(name))
    }

    fn call(&mut self, name: &str, place: usize) -> Result<Typed, Fault> {
        let Some(function) = functions::find(name) else {
            let fault = Fault::new(place, format!("there is no function {name}"));
            let near = |known: &&Function| strsim::osa_distance(known.name, name) <= 2;
            return Err(match functions::FUNCTIONS.iter().find(near) {
                Some(meant) => fault.help(format!("did you mean {}?", meant.name)),
                None => fault.help("docs/mappings.md lists the functions"),
            });
        };
        let mut arguments: Vec<Argument> = Vec::new();
        while !self.accept(")") {
            let at = self.place();
            if arguments.len() == functions::ARGUMENTS_MAX {
                return Err(Fault::new(at, format!("{name} takes at most {} arguments", function.parameters.len())));
            }
            arguments.push(self.argument(at)?);
            if !self.accept(",") && !self.is(")") {
                return Err(Fault::new(self.place(), "a comma or ) is missing here"));
            }
        }
        let required = function.parameters.iter().filter(|parameter| parameter.required).count();
        if arguments.len() < required || arguments.len() > function.parameters.len() {
            let names: Vec<&str> = function.parameters.iter().map(|parameter| parameter.name).collect();
            let fault = Fault::new(place, format!("{name} takes {}, not {}", names.join(", "), arguments.len()));
            return Err(fault.help(function.usage));
        }
        for (argument, parameter) in arguments.iter().zip(function.parameters) {
            if !argument.kinds.meets(parameter.accepts) {
                let (accepts, kinds) = (parameter.accepts.words(), argument.kinds.words());
                let fault =
                    Fault::new(argument.at, format!("the {} of {name} is {accepts}, not {kinds}", parameter.name));
                return Err(fault.help(function.usage));
            }
        }
        let expr = special(function, arguments)?;
        Ok((expr, function.returns))
    }

    /// An argument: a value, or a pattern.
    fn argument(&mut self, at: usize) -> Result<Argument, Fault> {
        let named = match self.token() {
            Token::Pattern(pattern) => Some(pattern.clone()),
            Token::Name(name) if matches!(self.next_token(1), Token::Sign("," | ")")) => {
                self.variables.get_mut(*name).and_then(|variable| {
                    variable.read = true;
                    variable.pattern.clone()
                })
            }
            _ => None,
        };
        if let Some(pattern) = named {
            self.pattern(&pattern)?;
            self.at += 1;
            return Ok(Argument { at, expr: Expr::Const(Const::Null), kinds: Kinds::NULL, pattern: Some(pattern) });
        }
        let (expr, kinds) = self.expression()?;
        Ok(Argument { at, expr, kinds, pattern: None })
    }

    fn pattern(&mut self, pattern: &str) -> Result<(), Fault> {
        self.patterns += 1;
        if self.patterns > PATTERNS_MAX {
            return Err(Fault::new(self.place(), format!("there are more than {PATTERNS_MAX} patterns")));
        }
        Pattern::check(pattern).map_err(|reason| Fault::new(self.place(), format!("the pattern is wrong: {reason}")))
    }
}

struct Argument {
    at: usize,
    expr: Expr,
    kinds: Kinds,
    pattern: Option<String>,
}

enum Segment {
    Name(String),
    Index(i64),
}

fn list(items: Vec<Expr>) -> Expr {
    if !items.iter().all(|item| matches!(item, Expr::Const(_))) {
        return Expr::List(items);
    }
    let items = items.into_iter().filter_map(|item| match item {
        Expr::Const(value) => Some(value),
        _ => None,
    });
    Expr::Const(Const::List(items.collect()))
}

/// Calls whose tables, parts and patterns stand in the program are made ready once.
fn special(function: &'static Function, arguments: Vec<Argument>) -> Result<Expr, Fault> {
    let place = arguments.first().map_or(0, |argument| argument.at);
    let mut arguments = arguments.into_iter();
    let mut next = || {
        arguments.next().unwrap_or(Argument {
            at: place,
            expr: Expr::Const(Const::Null),
            kinds: Kinds::NULL,
            pattern: None,
        })
    };
    let parts = match function.name {
        "has" => Some(Parts::Has),
        "begins" => Some(Parts::Begins),
        "ends" => Some(Parts::Ends),
        _ => None,
    };
    if let Some(parts) = parts {
        let (value, part) = (next(), next());
        let text = |constant: &Const| match constant {
            Const::Text(text) => Some(text.clone()),
            _ => None,
        };
        let texts: Option<Vec<Box<str>>> = match &part.expr {
            Expr::Const(Const::List(list)) => list.iter().map(text).collect(),
            Expr::Const(one) => text(one).map(|text| vec![text]),
            _ => None,
        };
        return Ok(match texts {
            Some(texts) => Expr::Parts(parts, Box::new(value.expr), texts),
            None => Expr::Call(function, vec![value.expr, part.expr]),
        });
    }
    match function.name {
        "match" | "capture" => {
            let (value, pattern) = (next(), next());
            let Some(pattern) = pattern.pattern else {
                let fault = Fault::new(pattern.at, format!("{} needs a pattern", function.name));
                return Err(fault.help("write it as r'…'"));
            };
            let pattern = Box::new(Pattern::new(&pattern));
            Ok(match function.name {
                "match" => Expr::Match(Box::new(value.expr), pattern),
                _ => Expr::Capture(Box::new(value.expr), pattern),
            })
        }
        "replace" => {
            let (value, part, with) = (next(), next(), next());
            Ok(match part.pattern {
                Some(pattern) => {
                    Expr::Replace(Box::new(value.expr), Box::new(Pattern::new(&pattern)), Box::new(with.expr))
                }
                None => Expr::Call(function, vec![value.expr, part.expr, with.expr]),
            })
        }
        "lookup" => {
            let (table, key) = (next(), next());
            let Expr::Const(Const::Object(members)) = table.expr else {
                return Err(Fault::new(table.at, "the table of lookup must stand in the program, with fixed values"));
            };
            let otherwise = arguments.next().map(|argument| Box::new(argument.expr));
            Ok(Expr::Lookup(members.into_iter().collect(), Box::new(key.expr), otherwise))
        }
        "usual" => {
            let (record, table) = (next(), next());
            let Expr::Const(Const::Object(members)) = table.expr else {
                return Err(Fault::new(table.at, "the table of usual must stand in the program"));
            };
            let usual = Usual::new(&members).map_err(|name| {
                Fault::new(table.at, format!("in the table of usual, {name} must be a list of names"))
            })?;
            Ok(Expr::Usual(Box::new(usual), Box::new(record.expr)))
        }
        _ => {
            if let Some(argument) = arguments.as_slice().iter().find(|argument| argument.pattern.is_some()) {
                return Err(Fault::new(argument.at, format!("{} takes no pattern", function.name)));
            }
            Ok(Expr::Call(function, arguments.map(|argument| argument.expr).collect()))
        }
    }
}
