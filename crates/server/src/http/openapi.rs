//! What the description at `/api/openapi.json` says besides the routes.

use utoipa::openapi::path::{Operation, Paths};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::router::Needs;
use super::subject::COOKIE;

/// The description without its routes.
pub fn frame() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Belfry")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The audit trail, reports and notifications of privileged access. Errors are application/problem+json; \
             lists are paged by cursor; times are RFC 3339 in UTC.",
        ))
        .build();
    let mut all = OpenApiBuilder::new().info(info).build();
    let components = all.components.get_or_insert_default();
    components.schemas.insert("ProblemBody".to_owned(), api::ProblemBody::schema());
    let mut schemas = Vec::new();
    api::ProblemBody::schemas(&mut schemas);
    components.schemas.extend(schemas);
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("blf_…").build();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    let cookie = ApiKey::Cookie(ApiKeyValue::new(COOKIE));
    components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    all
}

/// Adds to each operation what its route needs, and that every answer may be a problem.
pub fn mark(paths: &mut Paths, needs: Needs) {
    for item in paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            mark_one(operation, needs);
        }
    }
}

fn mark_one(operation: &mut Operation, needs: Needs) {
    let what = match needs {
        Needs::Public => "Needs nothing.".to_owned(),
        Needs::SignedIn => "Needs a session or any token.".to_owned(),
        Needs::Of(privilege) => format!("Needs the privilege `{privilege}`."),
    };
    let before = operation.description.take().filter(|text| !text.is_empty());
    operation.description = Some(before.map_or(what.clone(), |text| format!("{text}\n\n{what}")));
    if needs != Needs::Public {
        operation.security = Some(vec![
            SecurityRequirement::new("token", Vec::<String>::new()),
            SecurityRequirement::new("session", Vec::<String>::new()),
        ]);
    }
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemBody"))).build();
    let problem =
        ResponseBuilder::new().description("What went wrong").content("application/problem+json", content).build();
    operation.responses.responses.entry("default".to_owned()).or_insert(problem.into());
}
