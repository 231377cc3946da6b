//! What every route answers besides what it says of itself, put into the document in one place: the guard and the
//! extractors answer before a handler runs, and the table of routes says for whom.

use crate::routes::{self, Access};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};

/// The media type of problem details (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// Completes the answers of every operation.
pub fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("GET", &mut item.get),
            ("POST", &mut item.post),
            ("PUT", &mut item.put),
            ("PATCH", &mut item.patch),
            ("DELETE", &mut item.delete),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            if let Some(route) = routes::find(method, path) {
                add_shared(operation, method, route.access);
            }
            for (status, answer) in &mut operation.responses.responses {
                if let RefOr::T(answer) = answer {
                    complete_answer(status, answer);
                }
            }
        }
    }
}

/// Adds what the guard and the extractors may answer; what a route says itself stays.
fn add_shared(operation: &mut Operation, method: &str, access: Access) {
    let reads_query = operation.parameters.iter().flatten().any(
        |parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query),
    );
    let reads_body = operation.request_body.is_some();
    let answers = [
        (true, "429", "Too many requests: try again after Retry-After"),
        (true, "503", "Something that is needed is away: try again after Retry-After"),
        (access != Access::Public, "401", "No valid access token or API key"),
        (access != Access::Public, "403", "The caller may not do this"),
        (reads_query || reads_body, "400", "The query or the body can't be read"),
        (reads_body, "413", "The body is too large"),
        (reads_body, "415", "The body is not application/json"),
        (reads_body, "422", "Fields are wrong: `errors` names each"),
        // An Idempotency-Key is heeded on every POST of somebody known.
        (
            access != Access::Public && method == "POST",
            "409",
            "In conflict with what is there, or the request with this Idempotency-Key is still being done",
        ),
    ];
    for (_, status, description) in answers.into_iter().filter(|(may, ..)| *may) {
        let answer = || RefOr::T(ResponseBuilder::new().description(description).build());
        operation.responses.responses.entry(status.to_owned()).or_insert_with(answer);
    }
}

/// Problems have their media type, and answers the headers that all of their kind have.
fn complete_answer(status: &str, answer: &mut Response) {
    if status.starts_with('4') || status.starts_with('5') {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        answer.content.clear();
        answer.content.insert(PROBLEM.to_owned(), content.into());
    }
    add_header(answer, "X-Request-Id", Type::String, "Names the request in the log and the audit trail");
    match status {
        "401" => add_header(answer, "WWW-Authenticate", Type::String, "`Bearer`"),
        "429" | "503" => add_header(answer, "Retry-After", Type::Integer, "Seconds until it may work again"),
        _ => {}
    }
}

fn add_header(answer: &mut Response, name: &str, of: Type, description: &str) {
    let schema = ObjectBuilder::new().schema_type(of).build();
    let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description));
    answer.headers.insert(name.to_owned(), header.build().into());
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn what_the_guard_answers_is_told_of_every_route() {
        let document: Value =
            serde_json::from_str(&crate::api::document().to_json().expect("JSON")).expect("JSON");
        for (status, told) in document["paths"]
            .as_object()
            .expect("paths")
            .values()
            .flat_map(|item| item.as_object().expect("operations").values())
            .flat_map(|operation| operation["responses"].as_object().expect("responses"))
            .filter(|(status, _)| !status.starts_with('2'))
        {
            let schema = &told["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{status}: {told}");
        }
        let statuses = |path: &str, method: &str| {
            let told = document["paths"][path][method]["responses"].as_object().expect("responses");
            told.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(statuses("/.well-known/jwks.json", "get"), "200 429 503");
        assert_eq!(statuses("/api/v1/me", "get"), "200 401 403 429 503");
        assert_eq!(statuses("/api/v1/tickets", "get"), "200 400 401 403 422 429 503");
        assert_eq!(statuses("/api/v1/users", "post"), "201 400 401 403 409 413 415 422 429 503");
    }
}
