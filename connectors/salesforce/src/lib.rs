//! Salesforce CRM connector, a WASM component.
