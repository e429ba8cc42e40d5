//! An answer of the API that is not a success.

/// Status, code, sentence, and the fields it is about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// `fields` of the answer; often empty.
    pub(crate) fields: Vec<&'static str>,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            fields: Vec::new(),
        }
    }

    /// A refusal with status 400 about one field.
    pub(crate) fn of_field(
        code: &'static str,
        field: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            fields: vec![field],
            ..Self::new(400, code, message)
        }
    }
}
