//! Which product an identifier belongs to. Pure.

use seatwise_runtime::manifest::Product;

/// One way a definition names identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern<'a> {
    /// The text, without the star.
    pub text: &'a str,
    /// True: identifiers that begin with the text.
    pub is_prefix: bool,
    /// Index of the product.
    pub product: usize,
}

/// All patterns, the most exact first: whole keys, then longer prefixes before shorter ones.
#[must_use]
pub fn patterns(products: &[Product]) -> Vec<Pattern<'_>> {
    let mut all: Vec<Pattern<'_>> = products
        .iter()
        .enumerate()
        .flat_map(|(product, definition)| {
            definition
                .identifiers
                .iter()
                .map(move |text| match text.strip_suffix('*') {
                    Some(prefix) => Pattern {
                        text: prefix,
                        is_prefix: true,
                        product,
                    },
                    None => Pattern {
                        text,
                        is_prefix: false,
                        product,
                    },
                })
        })
        .collect();
    all.sort_by_key(|pattern| (pattern.is_prefix, std::cmp::Reverse(pattern.text.len())));
    all
}

/// Publisher and product, unless the product's name begins with its publisher.
#[must_use]
pub fn display_name(publisher: &str, product: &str) -> String {
    if product.starts_with(publisher) {
        product.to_owned()
    } else {
        format!("{publisher} {product}")
    }
}

#[cfg(test)]
mod tests {
    use seatwise_runtime::manifest::Metric;

    use super::*;

    fn product(name: &str, identifiers: &[&str]) -> Product {
        Product {
            name: name.to_owned(),
            publisher: "Acme".to_owned(),
            identifiers: identifiers.iter().map(|i| (*i).to_owned()).collect(),
            free: false,
            metric: Metric::Seats,
        }
    }

    #[test]
    fn a_whole_key_goes_before_any_prefix_and_a_longer_prefix_before_a_shorter() {
        let products = [
            product("Any", &["PID_*"]),
            product("Community", &["PID_Community_*", "PID_X"]),
        ];
        let order: Vec<_> = patterns(&products)
            .iter()
            .map(|p| (p.text, p.is_prefix, p.product))
            .collect();
        assert_eq!(
            order,
            [
                ("PID_X", false, 1),
                ("PID_Community_", true, 1),
                ("PID_", true, 0)
            ]
        );
    }

    #[test]
    fn the_publisher_is_named_once() {
        assert_eq!(display_name("Acme", "Board"), "Acme Board");
        assert_eq!(display_name("Acme", "Acme Board"), "Acme Board");
    }
}
