//! The parser: what it reads, what it refuses, and that it reads what it prints.

use proptest::prelude::*;

use super::*;

#[test]
fn the_queries_of_connectors_and_clients_parse() {
    for text in [
        "SELECT Id, Profile.UserLicense.LicenseDefinitionKey FROM User WHERE Id > '0055g00000AbCdEAAV' ORDER BY Id",
        "SELECT COUNT() FROM UserLogin WHERE IsFrozen = true",
        "select Id from User where SystemModstamp >= 2026-11-20T00:00:00Z and (IsActive = TRUE or Name LIKE 'A%') limit 5 offset 10",
        "SELECT Id FROM User WHERE Id IN ('a','b') AND NOT Name = 'O\\'Brien' ORDER BY LastLoginDate DESC NULLS LAST, Id",
        "SELECT Id FROM User WHERE LastLoginDate < LAST_N_DAYS:60",
        "SELECT UserId, LoginType, Status, COUNT(Id), MAX(LoginTime) FROM LoginHistory WHERE LoginTime > 2026-11-19T00:00:00Z GROUP BY UserId, LoginType, Status",
        "SELECT u.Id, u.Profile.Name FROM User u WHERE u.IsActive = true",
        "SELECT Id, (SELECT PermissionSetLicense.DeveloperName FROM PermissionSetLicenseAssignments) FROM User",
        "SELECT Id FROM User WHERE Id IN (SELECT AssigneeId FROM PermissionSetLicenseAssign) AND Id NOT IN (SELECT UserId FROM LoginHistory)",
        "SELECT Department d, COUNT(Id) n FROM User GROUP BY Department HAVING COUNT(Id) > 10 ORDER BY COUNT(Id) DESC LIMIT 5",
        "SELECT DAY_ONLY(LoginTime), COUNT_DISTINCT(UserId) FROM LoginHistory GROUP BY DAY_ONLY(LoginTime)",
        "SELECT FIELDS(STANDARD) FROM Account LIMIT 200",
        "SELECT Id FROM User WHERE (LastLoginDate < LAST_N_DAYS:90) OR (CreatedDate < LAST_N_DAYS:90 AND LastLoginDate = NULL)",
    ] {
        let query = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(parse(&query.to_string()), Ok(query), "{text}");
    }
}

#[test]
fn an_escaped_quote_stays_inside_its_string() {
    let query = parse("SELECT Id FROM User WHERE Name = 'x\\' OR Name != \\''").unwrap();
    let Some(Expr::Compare { value, .. }) = query.filter else {
        panic!("one comparison")
    };
    let text = Text {
        value: "x' OR Name != '".to_owned(),
        escaped: Vec::new(),
    };
    assert_eq!(value, Literal::Text(text));
}

#[test]
fn and_with_or_needs_parentheses() {
    let mixed = "SELECT Id FROM User WHERE IsActive = true AND Name = 'a' OR Name = 'b'";
    assert!(parse(mixed).is_err());
}

#[test]
fn what_is_no_query_is_malformed() {
    for text in [
        "",
        "SELECT FROM User",
        "SELECT Id",
        "SELECT Id FROM User WHERE",
        "SELECT Id FROM User; DROP",
        "SELECT Id FROM User WHERE Name = 'open",
        "SELECT Id FROM User WHERE Name = 'bad \\q escape'",
        "SELECT * FROM User",
        "SELECT Id FROM User LIMIT -1",
        "SELECT TYPEOF Owner WHEN User THEN Name END FROM Case",
        "SELECT Id FROM User WHERE Id IN ()",
        "SELECT Id FROM User WHERE Id IN (SELECT Id, Name FROM User)",
        "SELECT Id FROM User WHERE Id IN (SELECT Id FROM User LIMIT 5)",
        "SELECT Id, (SELECT COUNT(Id) FROM Users) FROM Profile",
        "SELECT Id FROM User WHERE Amount = nan",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_query_of_a_hundred_thousand_characters_is_the_longest() {
    let head = "SELECT Id FROM User WHERE Name IN (";
    let longest = |characters: usize| {
        let mut text = head.to_owned();
        while text.len() + 6 < characters {
            text.push_str("'aaa',");
        }
        text.truncate(text.len() - 1);
        text.push(')');
        text + &" ".repeat(characters)
    };
    let text: String = longest(MAX_CHARACTERS)
        .chars()
        .take(MAX_CHARACTERS)
        .collect();
    assert!(parse(&text).is_ok());
    assert!(parse(&(text + " ")).is_err());
}

#[test]
fn nesting_without_end_is_refused_and_not_followed() {
    let deep = format!("SELECT Id FROM User WHERE {}", "(".repeat(90_000));
    assert!(parse(&deep).is_err());
    let nots = format!("SELECT Id FROM User WHERE {}", "NOT ".repeat(20_000));
    assert!(parse(&nots).is_err());
}

fn name() -> impl Strategy<Value = String> {
    // Words that open clauses cannot be told from aliases; names of fields never are such words.
    "[A-Z][a-z]{2,6}(__c)?".prop_map(|name| format!("Xq{name}"))
}

fn path() -> impl Strategy<Value = Path> {
    prop::collection::vec(name(), 1..4)
}

fn literal() -> impl Strategy<Value = Literal> {
    let text = "[ -~é%_\\\\'\n]{0,12}".prop_map(|value| {
        let wild = value
            .chars()
            .enumerate()
            .filter(|(_, c)| matches!(c, '%' | '_'));
        let escaped = wild.map(|(at, _)| at).step_by(2).collect();
        Literal::Text(Text { value, escaped })
    });
    prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Bool),
        (-1_000_000i64..1_000_000).prop_map(|n| Literal::Number(n as f64 / 8.0)),
        text,
        (0i64..4_000_000_000_000).prop_map(Literal::Moment),
        (0i64..40_000).prop_map(Literal::Day),
        prop::sample::select(DateWord::ALL).prop_map(Literal::Word),
        (prop::sample::select(DateSpan::ALL), 0i64..60_000)
            .prop_map(|(span, n)| Literal::Span(span, n)),
    ]
}

fn operand() -> impl Strategy<Value = Operand> {
    prop_oneof![
        4 => path().prop_map(Operand::Path),
        1 => (prop::sample::select(Measure::ALL), path()).prop_map(|(measure, path)| Operand::Measure { measure, path }),
        1 => (prop::sample::select(DatePart::ALL), path()).prop_map(|(part, path)| Operand::Date { part, path }),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    let join = (path(), any::<bool>(), path(), name()).prop_map(|(of, is_negated, path, from)| {
        Expr::Join {
            path: of,
            is_negated,
            query: Box::new(Query {
                select: vec![Item::Value {
                    operand: Operand::Path(path),
                    alias: None,
                }],
                is_count: false,
                from,
                alias: None,
                filter: None,
                group: Vec::new(),
                having: None,
                order: Vec::new(),
                limit: None,
                offset: 0,
            }),
        }
    });
    let leaf = prop_oneof![
        (operand(), prop::sample::select(Op::ALL), literal())
            .prop_map(|(operand, op, value)| Expr::Compare { operand, op, value }),
        (
            operand(),
            any::<bool>(),
            prop::collection::vec(literal(), 1..4)
        )
            .prop_map(|(operand, is_negated, values)| Expr::In {
                operand,
                is_negated,
                values
            }),
        (
            path(),
            any::<bool>(),
            prop::collection::vec(literal(), 1..4)
        )
            .prop_map(|(path, is_negated, values)| Expr::Includes {
                path,
                is_negated,
                values
            }),
        join,
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

fn query() -> impl Strategy<Value = Query> {
    let item = (operand(), prop::option::of(name()))
        .prop_map(|(operand, alias)| Item::Value { operand, alias });
    let order = (operand(), any::<bool>(), any::<bool>()).prop_map(
        |(operand, is_descending, nulls_last)| Order {
            operand,
            is_descending,
            nulls_last,
        },
    );
    let shape = (
        prop::collection::vec(item, 1..5),
        any::<bool>(),
        name(),
        prop::option::of(name()),
        prop::option::of(expr()),
    );
    let tail = (
        prop::collection::vec(operand(), 0..3),
        prop::option::of(expr()),
        prop::collection::vec(order, 0..3),
        prop::option::of(0usize..50_000),
        0usize..2_001,
    );
    (shape, tail).prop_map(
        |((select, is_count, from, alias, filter), (group, having, order, limit, offset))| Query {
            select: if is_count { Vec::new() } else { select },
            is_count,
            from,
            alias,
            filter,
            group,
            having,
            order,
            limit,
            offset,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_printed_query_reads_back_as_itself(query in query()) {
        let printed = query.to_string();
        prop_assert_eq!(parse(&printed), Ok(query), "{}", printed);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,120}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_heap_of_words_makes_the_parser_panic(words in prop::collection::vec(prop::sample::select(vec![
        "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "(", ")", ",", "Id", "User", "'x'", "=", "LIKE", "GROUP", "BY", "ORDER",
        "LIMIT", "5", "COUNT", "COUNT()", "NULLS", "LAST", "FIELDS", "ALL", "LAST_N_DAYS:3", "-", "\\", "'", "2026-01-01", "T", "é",
    ]), 0..30)) {
        let _ = parse(&words.join(" "));
    }
}
