//! Changes to records: what Salesforce refuses, and a count of everything that it took.

use serde_json::{Map, Value};

use crate::api::State;
use crate::query::ApiError;
use crate::records::check_id;
use crate::refusals;
use crate::schema::Object;

impl State {
    /// The refusal that a fault has for this write.
    fn told_refusal(&mut self) -> Result<(), ApiError> {
        self.write_attempts += 1;
        if let Some(row) = self.faults.text("write_error").and_then(refusals::find) {
            return Err(row.error());
        }
        let every = self.faults.number("patch_fail_every");
        if every > 0 && self.write_attempts.is_multiple_of(every) {
            return Err(ApiError::new(
                400,
                "UNABLE_TO_LOCK_ROW",
                "unable to obtain exclusive access to this record",
            ));
        }
        Ok(())
    }

    /// Makes a record: its id.
    pub(crate) fn create(
        &mut self,
        object: Object,
        fields: Map<String, Value>,
    ) -> Result<String, ApiError> {
        self.told_refusal()?;
        let id = self.org.create(object, &fields)?;
        Ok(id.as_str().to_owned())
    }

    /// Removes a record.
    pub(crate) fn delete(&mut self, object: Object, id: &str) -> Result<(), ApiError> {
        check_id(object, id, self)?;
        self.told_refusal()?;
        self.org.delete(object, id)
    }

    /// Applies a change to a record, or refuses what Salesforce refuses. Counts it.
    pub(crate) fn update(
        &mut self,
        object: Object,
        id: &str,
        fields: Map<String, Value>,
    ) -> Result<(), ApiError> {
        check_id(object, id, self)?;
        self.org.find(object, id)?;
        self.told_refusal()?;
        self.org.update(object, id, &fields)
    }
}
