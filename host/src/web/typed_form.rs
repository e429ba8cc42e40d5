//! A form as it was sent: names and texts, with a file or without. A file called `x_file` stands for the text of the field `x`.
use std::collections::BTreeMap;

use axum::Form;
use axum::extract::multipart::Multipart;
use axum::extract::{FromRequest, Request};
use axum::http::header;

use super::Error;
use crate::kernel::Problem;

/// What was typed, by the names of the form's fields.
pub type Typed = BTreeMap<String, String>;

/// What a file's field is called beyond the field that it fills.
const FILE: &str = "_file";

/// See the module.
pub struct Sent(pub Typed);

fn unreadable() -> Problem {
    Problem::new(
        "page.unreadable_form",
        422,
        "the form cannot be read",
        "Load the page again, fill in the form and send it once more",
    )
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let has_parts = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| kind.starts_with("multipart/form-data"));
        if !has_parts {
            let Form(typed) = Form::<Typed>::from_request(request, state)
                .await
                .map_err(|_| unreadable())?;
            return Ok(Self(typed));
        }
        let mut parts = Multipart::from_request(request, state)
            .await
            .map_err(|_| unreadable())?;
        let mut typed = Typed::new();
        let mut files = Vec::new();
        while let Some(part) = parts.next_field().await.map_err(|_| unreadable())? {
            let name = part.name().unwrap_or_default().to_owned();
            let bytes = part.bytes().await.map_err(|_| unreadable())?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            match name.strip_suffix(FILE) {
                Some(field) => files.push((field.to_owned(), text)),
                None => {
                    typed.insert(name, text);
                }
            }
        }
        // A chosen file counts before what was pasted; no file is sent as an empty one.
        typed.extend(files.into_iter().filter(|(_, text)| !text.is_empty()));
        Ok(Self(typed))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    async fn sent(kind: &str, body: &str) -> Typed {
        let request = Request::post("/")
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let Ok(Sent(typed)) = Sent::from_request(request, &()).await else {
            panic!("{body} is read");
        };
        typed
    }

    fn part(name: &str, text: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    }

    #[tokio::test]
    async fn a_form_is_read_with_its_file_or_without() {
        let plain = sent("application/x-www-form-urlencoded", "a=1&key=pasted").await;
        assert_eq!(
            (plain["a"].as_str(), plain["key"].as_str()),
            ("1", "pasted")
        );
        for (file, key) in [("", "pasted"), ("of the file", "of the file")] {
            let body = [
                part("key", "pasted"),
                part("key_file", file),
                "--b--\r\n".to_owned(),
            ];
            let typed = sent("multipart/form-data; boundary=b", &body.concat()).await;
            assert_eq!(typed["key"], key);
            assert!(!typed.contains_key("key_file"));
        }
    }
}
