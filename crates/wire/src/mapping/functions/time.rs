//! `time(value)`

use jiff::Timestamp;
use vrl::compiler::prelude::*;
use vrl::path::{OwnedTargetPath, parse_value_path};

use super::text_of;
use crate::time;

/// A time in any of the usual forms, as RFC 3339.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time;

impl Function for Time {
    fn identifier(&self) -> &'static str {
        "time"
    }

    fn usage(&self) -> &'static str {
        "A time in any usual form (RFC 3339, `2026-01-02 03:04:05`, `Jan  2 03:04:05`, seconds to nanoseconds since 1970), as RFC 3339. UTC where no zone is written; null when it is no time."
    }

    fn category(&self) -> &'static str {
        "Belfry"
    }

    fn return_kind(&self) -> u16 {
        kind::BYTES | kind::NULL
    }

    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn parameters(&self) -> &'static [Parameter] {
        const PARAMETERS: &[Parameter] = &[Parameter::required("value", kind::ANY, "any value")];
        PARAMETERS
    }

    fn compile(&self, _: &TypeState, _: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        let received_at = parse_value_path("received_at").map(OwnedTargetPath::metadata);
        let Ok(received_at) = received_at else {
            return Err(function::Error::ExpectedFunctionClosure.into());
        };
        Ok(Call { value: arguments.required("value"), received_at }.as_expr())
    }
}

#[derive(Debug, Clone)]
struct Call {
    value: Box<dyn Expression>,
    received_at: OwnedTargetPath,
}

impl FunctionExpression for Call {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let value = self.value.resolve(ctx)?;
        let received_at = || match ctx.target().target_get(&self.received_at) {
            Ok(Some(at)) => at.to_string_lossy().parse().unwrap_or(Timestamp::UNIX_EPOCH),
            _ => Timestamp::UNIX_EPOCH,
        };
        let at = match &value {
            Value::Timestamp(at) => return Ok(Value::from(value_text(at))),
            Value::Float(seconds) => time::from_epoch(seconds.into_inner()),
            scalar => text_of(scalar).and_then(|text| {
                // Only a time without a year needs to know when it came in.
                match time::read(&text, Timestamp::UNIX_EPOCH) {
                    Some(at) if at.as_second() > 31_536_000 => Some(at),
                    _ => time::read(&text, received_at()),
                }
            }),
        };
        Ok(at.map_or(Value::Null, |at| Value::from(at.to_string())))
    }

    fn type_def(&self, _: &TypeState) -> TypeDef {
        TypeDef::bytes().or_null().infallible()
    }
}

fn value_text(at: &impl ToString) -> String {
    // `2026-01-02 03:04:05 UTC`, as chrono prints it.
    time::read(&at.to_string(), Timestamp::UNIX_EPOCH).map_or_else(|| at.to_string(), |t| t.to_string())
}
