//! The connectors compiled into the binary: component, manifest, digest and practice org of each.
