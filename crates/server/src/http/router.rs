//! All routes. A line names method, path, what it needs, and its handler; the description at `/api/openapi.json` is
//! made from the same lines.

use api::access::Privilege;
use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use utoipa::openapi::path::Paths;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{OpenApi, RefOr};
use utoipa_axum::router::UtoipaMethodRouter;

use super::guard::guard;
use super::{
    access, applications, backups, cloud_events, collector, elastic, events, export, grpc, health, hooks, ingest,
    inputs, mappings, notify, openapi, otlp, report, retention, selection, set_aside, sources, system, trail,
};
use crate::app::App;

/// What a route needs of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing; who it is may be known all the same.
    Public,
    /// That it is known who it is.
    SignedIn,
    Of(Privilege),
}

/// One route.
pub struct Route {
    pub method: Method,
    /// As axum writes it, `/api/v1/users/{id}`.
    pub path: &'static str,
    pub needs: Needs,
    schemas: Vec<(String, RefOr<Schema>)>,
    paths: Paths,
    handler: MethodRouter<App>,
}

impl Route {
    pub fn new(
        method: Method,
        path: &'static str,
        needs: Needs,
        (schemas, paths, handler): UtoipaMethodRouter<App>,
    ) -> Self {
        Self { method, path, needs, schemas, paths, handler }
    }

    /// A route of a protocol that others made and describe: our own description leaves it out.
    pub fn foreign<H, T>(method: Method, path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = match method {
            Method::GET => MethodFilter::GET,
            Method::PUT => MethodFilter::PUT,
            _ => MethodFilter::POST,
        };
        let handler = on(filter, handler);
        Self { method, path, needs, schemas: Vec::new(), paths: Paths::default(), handler }
    }
}

/// Writes a table of routes: `GET "/api/v1/users" UsersManage list_users;`
macro_rules! table {
    (@needs Public) => { $crate::http::Needs::Public };
    (@needs SignedIn) => { $crate::http::Needs::SignedIn };
    (@needs $privilege:ident) => { $crate::http::Needs::Of(api::access::Privilege::$privilege) };
    ($( $method:ident $path:literal $needs:ident $handler:ident; )*) => {
        vec![$(
            $crate::http::Route::new(
                axum::http::Method::$method,
                $path,
                $crate::http::router::table!(@needs $needs),
                utoipa_axum::routes!($handler),
            )
        ),*]
    };
}
pub(crate) use table;

/// All routes of all rooms.
pub fn routes() -> Vec<Route> {
    [
        access::routes(),
        applications::routes(),
        events::routes(),
        export::routes(),
        health::routes(),
        ingest::routes(),
        inputs::routes(),
        cloud_events::routes(),
        hooks::routes(),
        collector::routes(),
        otlp::routes(),
        grpc::routes(),
        elastic::routes(),
        notify::routes(),
        report::routes(),
        retention::routes(),
        selection::routes(),
        sources::routes(),
        set_aside::routes(),
        mappings::routes(),
        trail::routes(),
        backups::routes(),
        system::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The routes as axum wants them, each behind its guard.
pub fn api(app: &App) -> Router<App> {
    routes().into_iter().fold(Router::new(), |router, route| {
        let guarded = route.handler.route_layer(from_fn_with_state((app.clone(), route.needs), guard));
        router.route(route.path, guarded)
    })
}

/// The description of all routes.
pub fn description() -> OpenApi {
    let mut all = openapi::frame();
    let components = all.components.get_or_insert_default();
    for mut route in routes() {
        components.schemas.extend(route.schemas);
        openapi::mark(&mut route.paths, route.needs);
        all.paths.merge(route.paths);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The annotation of a handler and its line in the table must say the same.
    #[test]
    fn the_description_is_that_of_the_table() {
        for route in routes().into_iter().filter(|route| !route.paths.paths.is_empty()) {
            let item = route.paths.get_path_item(route.path);
            let item =
                item.unwrap_or_else(|| panic!("{}: the handler describes {:?}", route.path, route.paths.paths.keys()));
            let operation = match route.method {
                Method::GET => &item.get,
                Method::PUT => &item.put,
                Method::POST => &item.post,
                Method::DELETE => &item.delete,
                ref other => panic!("{} uses {other}", route.path),
            };
            assert!(operation.is_some(), "{} {} is described with another method", route.method, route.path);
        }
    }
}
