//! A local Salesforce org for demo, tests and connector authors.
