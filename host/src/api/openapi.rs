//! `/api/v1/openapi.json`, made from the route table and the request structs; a test compares it with the router.
use axum::Json;
use axum::http::Method;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Paths,
    Ref, RefOr, Required, ResponseBuilder, Schema, Type,
};
use utoipa::{PartialSchema as _, ToSchema};

use super::error::ProblemBody;
use crate::identity::roles::Permission;
use crate::web::routes::{Face, Route, table};

/// The form of a request's body, for the document.
pub struct Shape {
    name: String,
    schema: RefOr<Schema>,
    nested: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    /// The form of `T`.
    #[must_use]
    pub fn of<T: ToSchema>() -> Self {
        let mut nested = Vec::new();
        T::schemas(&mut nested);
        Self {
            name: T::name().into_owned(),
            schema: T::schema(),
            nested,
        }
    }
}

/// The document's own address.
pub fn route() -> Route {
    Route::api(
        Method::GET,
        "/api/v1/openapi.json",
        Permission::OwnAccount,
        "This document",
        answer,
    )
}

async fn answer() -> Json<OpenApi> {
    Json(document())
}

/// The parts of a path that stand for a value: `/runs/{number}` has `number`.
fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| {
        part.strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
    })
}

/// The OpenAPI 3.1 document of every API address in the route table.
#[must_use]
pub fn document() -> OpenApi {
    let mut paths = Paths::new();
    let mut components = ComponentsBuilder::new()
        .schema("Problem", ProblemBody::schema())
        .security_scheme(
            "token",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .description(Some("A personal token"))
                    .build(),
            ),
        );
    for route in table().into_iter().filter(|route| route.face == Face::Api) {
        let (method, verb) = if route.method == Method::POST {
            (HttpMethod::Post, "post")
        } else {
            (HttpMethod::Get, "get")
        };
        let noun = route
            .path
            .trim_start_matches("/api/v1/")
            .replace(['/', '.'], "_")
            .replace(['{', '}'], "");
        let needs = route.needs.map_or("", Permission::as_str);
        let tag = route
            .path
            .trim_start_matches("/api/v1/")
            .split('/')
            .next()
            .unwrap_or("api")
            .to_owned();
        let mut operation = OperationBuilder::new()
            .operation_id(Some(format!("{verb}_{noun}")))
            .summary(Some(route.says))
            .description(Some(format!("Needs the permission `{needs}`.")))
            .tag(tag)
            .security(SecurityRequirement::new("token", Vec::<String>::new()))
            .response(
                "200",
                ResponseBuilder::new().description("The view").content(
                    "application/json",
                    ContentBuilder::new()
                        .schema(Some(ObjectBuilder::new()))
                        .build(),
                ),
            )
            .response(
                "default",
                ResponseBuilder::new()
                    .description("Why it was not done")
                    .content(
                        "application/problem+json",
                        ContentBuilder::new()
                            .schema(Some(Ref::from_schema_name("Problem")))
                            .build(),
                    ),
            );
        for name in placeholders(route.path) {
            operation = operation.parameter(text_parameter(
                name,
                ParameterIn::Path,
                Required::True,
                None,
            ));
        }
        for (name, says) in route.asks {
            operation = operation.parameter(text_parameter(
                name,
                ParameterIn::Query,
                Required::False,
                Some(says),
            ));
        }
        if let Some(shape) = route.takes {
            let content = ContentBuilder::new()
                .schema(Some(Ref::from_schema_name(shape.name.clone())))
                .build();
            operation = operation.request_body(Some(
                RequestBodyBuilder::new()
                    .required(Some(Required::True))
                    .content("application/json", content)
                    .build(),
            ));
            components = components.schema(shape.name, shape.schema);
            for (name, schema) in shape.nested {
                components = components.schema(name, schema);
            }
        }
        paths.add_path_operation(route.path, vec![method], operation.build());
    }
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Seatwise")
                .version("v1")
                .description(Some("The same services as the pages and the CLI."))
                .build(),
        )
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

fn text_parameter(
    name: &str,
    place: ParameterIn,
    required: Required,
    says: Option<&str>,
) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(says)
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lists_every_api_route_and_nothing_else() {
        let document = document();
        let mut listed: Vec<(String, String)> = Vec::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in [("GET", &item.get), ("POST", &item.post)] {
                if operation.is_some() {
                    listed.push((method.to_owned(), path.clone()));
                }
            }
        }
        let mut routed: Vec<(String, String)> = table()
            .iter()
            .filter(|route| route.face == Face::Api)
            .map(|route| (route.method.to_string(), route.path.to_owned()))
            .collect();
        listed.sort();
        routed.sort();
        assert_eq!(listed, routed);
    }

    #[test]
    fn operation_ids_are_unique() {
        let document = document();
        let mut ids: Vec<String> = document
            .paths
            .paths
            .values()
            .flat_map(|item| [&item.get, &item.post])
            .flatten()
            .filter_map(|operation| operation.operation_id.clone())
            .collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }
}
