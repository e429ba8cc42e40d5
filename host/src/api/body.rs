//! What a request brings: JSON bodies and queries whose faults are told as problems, not as the framework's own text.
use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{self, Error};

/// A JSON body. Unknown fields are refused by the structs themselves.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(error::malformed_body(&rejection).into()),
        }
    }
}

/// A query string.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(error::malformed_query(&rejection).into()),
        }
    }
}

/// A list, or a page of one.
#[derive(Serialize)]
pub struct List<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The `after` of the following page; none: this is the end.
    pub next: Option<String>,
}

impl<T> List<T> {
    /// Everything there is.
    pub fn all(items: Vec<T>) -> Json<Self> {
        Json(Self { items, next: None })
    }

    /// A page asked for with this limit; `key` names its last row.
    pub fn page(items: Vec<T>, limit: i64, key: impl FnOnce(&T) -> String) -> Json<Self> {
        let is_full = i64::try_from(items.len()).is_ok_and(|rows| rows > 0 && rows >= limit);
        let next = if is_full { items.last().map(key) } else { None };
        Json(Self { items, next })
    }
}
