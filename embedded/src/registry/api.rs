//! The HTTP API, as Confluent describes it publicly for its registry.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{FromRequest, Path, Query, Request, State as Shared},
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    avro::Compatibility,
    error::ApiError,
    proposal::{Proposal, Which},
    record::{Mode, Reference, SchemaValue},
    service::Service,
    state::Deleted,
};

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.schemaregistry.v1+json");

/// What clients may send. A page in a browser can't send any of these to another site without asking first,
/// which is all the protection that a loopback service without authentication has.
const ACCEPTED: [&str; 4] = [
    "application/vnd.schemaregistry.v1+json",
    "application/vnd.schemaregistry+json",
    "application/json",
    "application/octet-stream",
];

type Answer<T> = Result<Json<T>, ApiError>;
type Registry = Shared<Arc<Service>>;

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/", get(async || Json(json!({}))))
        .route("/schemas", get(schemas))
        .route("/schemas/types", get(async || Json(["AVRO"])))
        .route("/schemas/ids/{id}", get(schema_by_id))
        .route("/schemas/ids/{id}/schema", get(schema_text_by_id))
        .route("/schemas/ids/{id}/subjects", get(subjects_of_id))
        .route("/schemas/ids/{id}/versions", get(versions_of_id))
        .route("/subjects", get(subjects))
        .route("/subjects/{subject}", post(lookup).delete(delete_subject))
        .route("/subjects/{subject}/versions", get(versions).post(register))
        .route("/subjects/{subject}/versions/{version}", get(version).delete(delete_version))
        .route("/subjects/{subject}/versions/{version}/schema", get(schema_text))
        .route("/subjects/{subject}/versions/{version}/referencedby", get(referenced_by))
        .route("/compatibility/subjects/{subject}/versions", post(compatible_with_all))
        .route("/compatibility/subjects/{subject}/versions/{version}", post(compatible_with))
        .route("/config", get(global_config).put(set_global_config).delete(delete_global_config))
        .route("/config/{subject}", get(config).put(set_config).delete(delete_config))
        .route("/mode", get(global_mode).put(set_global_mode))
        .route("/mode/{subject}", get(mode).put(set_mode).delete(delete_mode))
        .fallback(async || ApiError::no_such_path())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .with_state(service)
}

/// A body in the registry's media type.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => ([(CONTENT_TYPE, MEDIA_TYPE)], bytes).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
}

/// A JSON body of any accepted media type.
struct Body<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !ACCEPTED.contains(&kind.as_str()) {
            return Err(ApiError::unsupported_media_type());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(ApiError::bad_request)?;
        serde_json::from_slice(&bytes).map(Self).map_err(ApiError::bad_request)
    }
}

/// The query parameters of all requests: each uses some.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Parameters {
    deleted: bool,
    deleted_only: bool,
    permanent: bool,
    verbose: bool,
    default_to_global: bool,
    latest_only: bool,
    subject_prefix: String,
}

impl Parameters {
    fn which(&self) -> Deleted {
        match (self.deleted_only, self.deleted) {
            (true, _) => Deleted::Only,
            (_, true) => Deleted::Too,
            _ => Deleted::No,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionBody<'a> {
    subject: &'a str,
    version: i32,
    id: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_type: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    references: &'a [Reference],
    schema: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
}

fn body(value: &SchemaValue) -> Value {
    json!(VersionBody {
        subject: &value.subject,
        version: value.version,
        id: value.id,
        schema_type: value.schema_type.as_deref(),
        references: &value.references,
        schema: &value.schema,
        deleted: value.deleted,
    })
}

/// The schema itself as the body.
fn raw(schema: String) -> Response {
    ([(CONTENT_TYPE, MEDIA_TYPE)], schema).into_response()
}

async fn schemas(Shared(service): Registry, Query(parameters): Query<Parameters>) -> Json<Vec<Value>> {
    let state = service.state();
    let deleted = parameters.which();
    let mut bodies = Vec::new();
    // A subject counts if any of its versions does.
    for subject in state.subjects(&parameters.subject_prefix, Deleted::Too) {
        let mut versions: Vec<Value> =
            state.versions(subject, deleted).map(|version| body(&version.value)).collect();
        if parameters.latest_only {
            versions.drain(..versions.len().saturating_sub(1));
        }
        bodies.append(&mut versions);
    }
    Json(bodies)
}

fn by_id(service: &Service, id: &str) -> Result<Arc<SchemaValue>, ApiError> {
    let state = service.state();
    let found = id.parse().ok().and_then(|id| state.by_id(id));
    found.map(|version| Arc::clone(&version.value)).ok_or_else(ApiError::no_such_schema)
}

async fn schema_by_id(Shared(service): Registry, Path(id): Path<String>) -> Answer<Value> {
    let value = by_id(&service, &id)?;
    let mut answer = json!({ "schema": value.schema });
    if let Some(kind) = &value.schema_type {
        answer["schemaType"] = json!(kind);
    }
    if !value.references.is_empty() {
        answer["references"] = json!(value.references);
    }
    Ok(Json(answer))
}

async fn schema_text_by_id(Shared(service): Registry, Path(id): Path<String>) -> Result<Response, ApiError> {
    by_id(&service, &id).map(|value| raw(value.schema.clone()))
}

async fn subjects_of_id(
    Shared(service): Registry,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Answer<BTreeSet<String>> {
    let id = by_id(&service, &id)?.id;
    let state = service.state();
    let subjects = state.uses(id, parameters.which()).into_iter().map(|(subject, _)| subject.to_owned());
    Ok(Json(subjects.collect()))
}

async fn versions_of_id(
    Shared(service): Registry,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Answer<Vec<Value>> {
    let id = by_id(&service, &id)?.id;
    let state = service.state();
    let uses = state.uses(id, parameters.which()).into_iter();
    Ok(Json(uses.map(|(subject, version)| json!({ "subject": subject, "version": version })).collect()))
}

async fn subjects(Shared(service): Registry, Query(parameters): Query<Parameters>) -> Json<Vec<String>> {
    let state = service.state();
    let found = state.subjects(&parameters.subject_prefix, parameters.which());
    Json(found.into_iter().map(str::to_owned).collect())
}

async fn versions(
    Shared(service): Registry,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Answer<Vec<i32>> {
    let state = service.state();
    let found: Vec<i32> =
        state.versions(&subject, parameters.which()).map(|version| version.value.version).collect();
    if found.is_empty() {
        return Err(ApiError::no_such_subject(&subject));
    }
    Ok(Json(found))
}

async fn register(
    Shared(service): Registry,
    Path(subject): Path<String>,
    Body(proposal): Body<Proposal>,
) -> Answer<Value> {
    let id = service.register(&subject, &proposal).await?;
    Ok(Json(json!({ "id": id })))
}

async fn lookup(
    Shared(service): Registry,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
    Body(proposal): Body<Proposal>,
) -> Answer<Value> {
    let value = service.lookup(&subject, &proposal, parameters.which())?;
    Ok(Json(body(&value)))
}

async fn version(
    Shared(service): Registry,
    Path((subject, version)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Answer<Value> {
    let value = service.version(&subject, Which::parse(&version)?, parameters.which())?;
    Ok(Json(body(&value)))
}

async fn schema_text(
    Shared(service): Registry,
    Path((subject, version)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, ApiError> {
    let value = service.version(&subject, Which::parse(&version)?, parameters.which())?;
    Ok(raw(value.schema.clone()))
}

async fn referenced_by(
    Shared(service): Registry,
    Path((subject, version)): Path<(String, String)>,
) -> Answer<BTreeSet<i32>> {
    Ok(Json(service.referenced_by(&subject, Which::parse(&version)?)?))
}

async fn delete_subject(
    Shared(service): Registry,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Answer<Vec<i32>> {
    Ok(Json(service.delete_subject(&subject, parameters.permanent).await?))
}

async fn delete_version(
    Shared(service): Registry,
    Path((subject, version)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Answer<i32> {
    Ok(Json(service.delete_version(&subject, Which::parse(&version)?, parameters.permanent).await?))
}

async fn compatible_with_all(
    Shared(service): Registry,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
    Body(proposal): Body<Proposal>,
) -> Answer<Value> {
    Ok(verdict(&service.compatible(&subject, None, &proposal)?, &parameters))
}

async fn compatible_with(
    Shared(service): Registry,
    Path((subject, version)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
    Body(proposal): Body<Proposal>,
) -> Answer<Value> {
    let which = Some(Which::parse(&version)?);
    Ok(verdict(&service.compatible(&subject, which, &proposal)?, &parameters))
}

fn verdict(reasons: &[String], parameters: &Parameters) -> Json<Value> {
    let mut answer = json!({ "is_compatible": reasons.is_empty() });
    if parameters.verbose {
        answer["messages"] = json!(reasons);
    }
    Json(answer)
}

#[derive(Deserialize)]
struct ConfigBody {
    compatibility: String,
}

impl ConfigBody {
    fn level(&self) -> Result<Compatibility, ApiError> {
        self.compatibility.parse().map_err(|given: String| ApiError::invalid_level(&given))
    }
}

async fn global_config(Shared(service): Registry) -> Answer<Value> {
    Ok(level(service.config(None, true)?))
}

async fn config(
    Shared(service): Registry,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Answer<Value> {
    Ok(level(service.config(Some(&subject), parameters.default_to_global)?))
}

async fn set_global_config(Shared(service): Registry, Body(body): Body<ConfigBody>) -> Answer<Value> {
    let level = body.level()?;
    service.set_config(None, level).await?;
    Ok(Json(json!({ "compatibility": level })))
}

async fn set_config(
    Shared(service): Registry,
    Path(subject): Path<String>,
    Body(body): Body<ConfigBody>,
) -> Answer<Value> {
    let level = body.level()?;
    service.set_config(Some(&subject), level).await?;
    Ok(Json(json!({ "compatibility": level })))
}

async fn delete_global_config(Shared(service): Registry) -> Answer<Value> {
    Ok(level(service.delete_config(None).await?))
}

async fn delete_config(Shared(service): Registry, Path(subject): Path<String>) -> Answer<Value> {
    Ok(level(service.delete_config(Some(&subject)).await?))
}

fn level(level: Compatibility) -> Json<Value> {
    Json(json!({ "compatibilityLevel": level }))
}

#[derive(Deserialize)]
struct ModeBody {
    mode: String,
}

impl ModeBody {
    fn mode(&self) -> Result<Mode, ApiError> {
        serde_json::from_value(json!(self.mode.to_uppercase()))
            .map_err(|_| ApiError::invalid_mode(&self.mode))
    }
}

async fn global_mode(Shared(service): Registry) -> Answer<Value> {
    Ok(Json(json!({ "mode": service.mode(None, true)? })))
}

async fn mode(
    Shared(service): Registry,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Answer<Value> {
    Ok(Json(json!({ "mode": service.mode(Some(&subject), parameters.default_to_global)? })))
}

async fn set_global_mode(Shared(service): Registry, Body(body): Body<ModeBody>) -> Answer<Value> {
    let mode = body.mode()?;
    service.set_mode(None, mode).await?;
    Ok(Json(json!({ "mode": mode })))
}

async fn set_mode(
    Shared(service): Registry,
    Path(subject): Path<String>,
    Body(body): Body<ModeBody>,
) -> Answer<Value> {
    let mode = body.mode()?;
    service.set_mode(Some(&subject), mode).await?;
    Ok(Json(json!({ "mode": mode })))
}

async fn delete_mode(Shared(service): Registry, Path(subject): Path<String>) -> Answer<Value> {
    Ok(Json(json!({ "mode": service.delete_mode(&subject).await? })))
}
