//! What a connector author writes against: bindings, errors, paging, test kit.
