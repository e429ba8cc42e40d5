//! Integration, conformance, browser and benchmark layers.
