//! The language: precedence, null and quality, messages.

use super::*;
use proptest::prelude::*;

/// Numbers a b c d, conditions p q, texts s t, the children's `machines.oee`, and what detectors have.
struct Bench {
    aggregates: bool,
}

const METRIC: Bench = Bench { aggregates: true };
const GUARD: Bench = Bench { aggregates: false };

impl Scope for Bench {
    fn resolve(&self, path: &[&str]) -> Option<Resolved> {
        let (reference, node_type) = match path {
            [name @ ("a" | "b" | "c" | "d" | "fill_temp")] => (Reference::Own((*name).into()), Type::Number),
            [name @ ("p" | "q" | "running")] => (Reference::Own((*name).into()), Type::Boolean),
            [name @ ("s" | "t")] => (Reference::Own((*name).into()), Type::String),
            ["acknowledged"] => (Reference::Alarm(AlarmFlag::Acknowledged), Type::Boolean),
            ["machines", "oee"] => (Reference::Children { hierarchy: "machines".into(), property: "oee".into() }, Type::Number),
            _ => return None,
        };
        Some(Resolved { reference, node_type, unit: "".into() })
    }

    fn candidates(&self) -> Vec<String> {
        ["a", "b", "c", "d", "fill_temp", "p", "q", "running", "s", "t", "machines.oee"].map(String::from).into()
    }

    fn aggregates(&self) -> bool {
        self.aggregates
    }
}

/// The tree with all parentheses.
fn tree(expression: &Expression, node: &Node) -> String {
    let show = |node: &Node| tree(expression, node);
    let list = |nodes: &[Node]| nodes.iter().map(show).collect::<Vec<_>>().join(", ");
    match &node.kind {
        NodeKind::Literal(Value::String(text)) => format!("'{text}'"),
        NodeKind::Literal(value) => value.to_string(),
        NodeKind::Slot(slot) => expression.references[*slot].to_string(),
        NodeKind::Unary(UnaryOperator::Negate, operand) => format!("(-{})", show(operand)),
        NodeKind::Unary(UnaryOperator::Not, operand) => format!("(not {})", show(operand)),
        NodeKind::Unary(UnaryOperator::BitNot, operand) => format!("bitnot({})", show(operand)),
        NodeKind::Binary(operator, left, right) => {
            format!("({} {} {})", show(left), operator.sign().trim_matches('`'), show(right))
        }
        NodeKind::In { needle, list: items } => format!("({} in ({}))", show(needle), list(items)),
        NodeKind::If { condition, then, otherwise } => {
            format!("if({}, {}, {})", show(condition), show(then), show(otherwise))
        }
        NodeKind::Call(function, arguments) => format!("{function:?}({})", list(arguments)),
        NodeKind::Aggregate(aggregate, argument) => format!("{aggregate}[{}]", show(argument)),
        NodeKind::Convert(conversion, operand) => format!("convert({}, {}, {})", show(operand), conversion.from, conversion.to),
        NodeKind::Format(_, values) => format!("format({})", list(values)),
        NodeKind::JsonPath(path, document) => format!("jp({}, '{path}')", show(document)),
        NodeKind::DatePart(part, zone, time) => format!("{part:?}({}, {zone})", show(time)),
        NodeKind::MakeTime(zone, parts) => format!("mktime({}, {zone})", list(parts)),
    }
}

fn parsed(text: &str) -> String {
    match Expression::parse(text, &METRIC) {
        Ok(expression) => tree(&expression, &expression.root),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn precedence() {
    let table = [
        ("-2^2", "(-(2 ^ 2))"),
        ("2^-1", "(2 ^ -1)"),
        ("2^3^2", "(2 ^ (3 ^ 2))"),
        ("-a^b", "(-(a ^ b))"),
        ("-a * b", "((-a) * b)"),
        ("a - b - c", "((a - b) - c)"),
        ("a / b * c % d", "(((a / b) * c) % d)"),
        ("a + b * c", "(a + (b * c))"),
        ("(a + b) * c", "((a + b) * c)"),
        ("a + b < c * d", "((a + b) < (c * d))"),
        ("not a == b", "(not (a == b))"),
        ("!p == q", "((not p) == q)"),
        ("not p and q", "((not p) and q)"),
        ("p or q and not p or q", "((p or (q and (not p))) or q)"),
        ("p && q || !p", "((p and q) or (not p))"),
        ("a > 1 and a < 2", "((a > 1) and (a < 2))"),
        ("a in (1, -2, b + 1)", "(a in (1, -2, (b + 1)))"),
        ("a + 1 in (1) and p", "(((a + 1) in (1)) and p)"),
        ("not a in (1)", "(not (a in (1)))"),
        ("a not in (1, 2)", "(not (a in (1, 2)))"),
        ("a - -1", "(a - -1)"),
        ("--a", "(-(-a))"),
        ("pow(a, 2)", "(a ^ 2)"),
        ("min(a, b) + max(a, b, c)", "(Least(a, b) + Greatest(a, b, c))"),
        ("min(machines.oee)", "min[machines.oee]"),
        ("statetime(a == 6) / 3600", "(statetime[(a == 6)] / 3600)"),
        ("max(avg(a), 0.5)", "Greatest(avg[a], 0.5)"),
        ("if(p, a, b) + 1", "(if(p, a, b) + 1)"),
        ("`fill_temp` + 1", "(fill_temp + 1)"),
        ("s == 'it''s' or s == \"a\"\"b\"", "((s == 'it's') or (s == 'a\"b'))"),
        ("1.5e3 + .5 + 9223372036854775808", "((1500 + 0.5) + 9223372036854776000)"),
    ];
    for (text, expected) in table {
        assert_eq!(parsed(text), expected, "{text}");
    }
}

#[test]
fn one_slot_per_reference() {
    let expression = Expression::parse("a + b * a - a", &GUARD).expect("a formula");
    assert_eq!(expression.references.len(), 2);
}

/// The place of the mistake is marked with `^`, then come message and hint.
fn complaint(text: &str, scope: &Bench) -> String {
    let error = Expression::parse(text, scope).expect_err(text);
    let marked = &text[error.span.start..error.span.end];
    format!("[{marked}] {} | {}", error.message, error.hint)
}

#[test]
fn mistakes_name_the_place_and_the_way_out() {
    let table = [
        ("", "[] an expression was expected | write a value, a name or a formula"),
        ("fil_temp > 5", "[fil_temp] there is no `fil_temp` here | did you mean `fill_temp`?"),
        ("machine.oee > 1", "[machine.oee] there is no `machine.oee` here | did you mean `machines.oee`?"),
        ("a = 5", "[=] `=` is not a comparison | write `==`"),
        ("a <> 5", "[<>] `<>` is not an operator | write `!=`"),
        ("a < b < c", "[<] comparisons cannot be chained | write `a < b and b < c`, or put one comparison in parentheses"),
        ("a > 82°C", "[82°C] `82°C` is neither a number nor a name | numbers stand without their unit: write 82"),
        ("a > 5m", "[5m] `5m` is neither a number nor a name | spans in an expression are numbers of seconds: write 300"),
        ("a > 74..80", "[..] ranges have no place in an expression | write `x >= low and x <= high`"),
        ("(a + b", "[] `)` was expected, found the end | it closes the `(` at position 1"),
        ("a + ", "[] a value was expected, found the end | "),
        ("a b", "[b] an operator or the end was expected, found `b` | an operator seems to be missing before it"),
        ("p AND q", "[AND] an operator or the end was expected, found `AND` | operators are written in small letters: `and`"),
        ("a == not p", "[not] `not` binds less than the operator before it | put `not …` in parentheses"),
        ("s == 'x", "['x] the ' that opens here is never closed | close it with '; inside, '' stands for one '"),
        ("a in 5", "[5] `(` after `in` was expected, found `5` | write `x in (1, 2)`"),
        ("a # 5", "[#] `#` has no meaning in an expression | take it out"),
        ("p + 1", "[p] `+` takes a number, but `p` is true or false | make it a number: `if(p, 1, 0)`"),
        ("a and p", "[a] `and` takes true or false, but `a` is a number | say when it is true: `a != 0`"),
        (
            "running == 1",
            "[1] `==` compares true or false with a number | `running` is a condition already: write `running` or `not running`",
        ),
        ("a == 'x'", "['x'] `==` compares a number with a text | write the number without quotes, or compare `a` with a text"),
        ("p < q", "[p < q] `<` does not order true and false | compare with == or use and, or, not"),
        ("a == null", "[a == null] `==` with null is never true | use `coalesce(x, value)` for what may be missing"),
        ("sqr(a)", "[sqr] there is no function `sqr` | did you mean `sqrt`?"),
        ("mean(a)", "[mean] there is no function `mean` | write `avg`"),
        ("abs(a, b)", "[abs(a, b)] `abs` takes one value, here are 2 | "),
        ("if(p, a)", "[if(p, a)] `if` takes 3 values, here are 2 | write `if(condition, a, b)`"),
        ("if(p, a, s)", "[s] `if` gives a text here but a number before | let all results have one type"),
        (
            "avg(a)",
            "[avg(a)] `avg` needs the samples of a window; only metrics have one | put it under `metrics:` with a window, and use the metric here",
        ),
        (
            "min(a)",
            "[min(a)] `min` needs the samples of a window; only metrics have one | give it two values or more: `min(a, b)`, or make it a metric",
        ),
        (
            "machines.oee > 1",
            "[machines.oee] `machines.oee` has one value for every child | only metrics may read children; make it a metric and use that",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(complaint(text, &GUARD), expected, "{text}");
    }
    let metrics = [
        (
            "machines.oee",
            "[machines.oee] `machines.oee` has one value for every child | say how they become one: `min(machines.oee)`, `avg(machines.oee)`",
        ),
        (
            "avg(a + b)",
            "[a + b] `avg` reads more than one property at a time | make the formula a transform and aggregate that",
        ),
        ("avg(sum(a))", "[sum(a)] `sum` stands inside `avg` | make the inner one a metric of its own"),
        ("count(1)", "[1] `count` reads no property | give it a property or a formula over one"),
        (
            "increase(a * 2)",
            "[a * 2] `increase` takes a counter itself, not a formula | calculate with its result: `increase(counter) * 2`",
        ),
        ("statetime(s)", "[s] `statetime` takes a condition | write `statetime(s == '…')`"),
    ];
    for (text, expected) in metrics {
        assert_eq!(complaint(text, &METRIC), expected, "{text}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Expression::parse(&nested(MAX_DEPTH - 1), &GUARD).is_ok());
    assert!(Expression::parse(&nested(MAX_DEPTH), &GUARD).is_err());
    assert!(Expression::parse(&format!("a{}", " + a".repeat(MAX_DEPTH - 1)), &GUARD).is_ok());
    assert!(Expression::parse(&format!("a{}", " + a".repeat(MAX_DEPTH)), &GUARD).is_err());
    assert!(Expression::parse(&"-".repeat(8000), &GUARD).is_err());
    assert!(Expression::parse(&"(".repeat(8000), &GUARD).is_err());
    assert!(Expression::parse(&"a^".repeat(4000), &GUARD).is_err());
    assert!(Expression::parse(&"abs(".repeat(2000), &GUARD).is_err());
    assert!(Expression::parse(&" ".repeat(MAX_TEXT + 1), &GUARD).is_err());
}

/// Values as they are written in a table: `-` none, `!5` Bad, `?5` Uncertain.
fn slot(name: &str, values: &[(&str, &str)]) -> SlotValue {
    let Some((_, text)) = values.iter().find(|(known, _)| *known == name) else { return SlotValue::missing() };
    let time = Some(Timestamp::from_seconds(1));
    let (quality, text) = match text.split_at(1) {
        ("!", rest) => (Quality::Bad, rest),
        ("?", rest) => (Quality::Uncertain, rest),
        _ => (Quality::Good, *text),
    };
    let value = match text {
        "-" => Value::Null,
        "true" => true.into(),
        "false" => false.into(),
        text => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(integer), _) => integer.into(),
            (_, Ok(double)) => Value::Double(double),
            _ => text.into(),
        },
    };
    SlotValue { value, quality, time }
}

fn slots(expression: &Expression, values: &[(&str, &str)]) -> Vec<SlotValue> {
    expression.references.iter().map(|reference| slot(&reference.to_string(), values)).collect()
}

fn evaluated(text: &str, values: &[(&str, &str)]) -> String {
    let expression = Expression::parse(text, &GUARD).expect(text);
    let result = expression.evaluate(&slots(&expression, values));
    match result.quality {
        Quality::Good => result.value.to_string(),
        quality => format!("{} {quality}", result.value),
    }
}

#[test]
fn values() {
    let table = [
        ("1 + 2 * 3", "7"),
        ("7 / 2", "3.5"),
        ("6 / 2", "3"),
        ("1 / 0", "null"),
        ("0 / 0", "null"),
        ("-7 % 3", "-1"),
        ("7.5 % -2", "1.5"),
        ("5 % 0", "null"),
        ("2 ^ 10", "1024"),
        ("(-8) ^ 0.5", "null"),
        ("-2 ^ 2", "-4"),
        ("10 ^ 400", "null"),
        ("9223372036854775807 + 1", "9223372036854776000"),
        ("9007199254740993 == 9007199254740992", "false"),
        ("1 == 1.0", "true"),
        ("0.1 + 0.2 == 0.3", "false"),
        ("approx(0.1 + 0.2, 0.3)", "true"),
        ("approx(1, 1.00001)", "false"),
        ("'b' > 'a' and 'a' != 'A'", "true"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(2.345, 2)", "2.35"),
        ("round(1234, -2)", "1200"),
        ("round(1.5, 400)", "1.5"),
        ("abs(-3) + ceil(1.2) + floor(-1.2)", "3"),
        ("sqrt(-1)", "null"),
        ("ln(0)", "null"),
        ("log10(1000)", "3"),
        ("exp(1000)", "null"),
        ("min(3, 1, 2) + max(3, 1, 2)", "4"),
        ("if(1 > 2, 'x', 'y')", "y"),
        ("3 in (1, 2, 3)", "true"),
        ("3 not in (1, 2)", "true"),
        ("coalesce(null, 1 / 0, 5)", "5"),
        ("true and not false", "true"),
    ];
    for (text, expected) in table {
        assert_eq!(evaluated(text, &[]), expected, "{text}");
    }
}

/// Null behaves as in SQL; the quality is that of what decided the result.
#[test]
fn null_and_quality() {
    let table = [
        ("a + 1", "5", "6"),
        ("a + 1", "-", "null"),
        ("a + 1", "!5", "null bad"),
        ("a + 1", "?5", "null uncertain"),
        ("a > 1", "!5", "null bad"),
        ("not (a > 1)", "!5", "null bad"),
        ("a > 1 and false", "!5", "false"),
        ("false and a > 1", "!5", "false"),
        ("a > 1 and true", "!5", "null bad"),
        ("a > 1 or true", "!5", "true"),
        ("true or a > 1", "!5", "true"),
        ("a > 1 or false", "!5", "null bad"),
        ("a > 1 and a < 1", "-", "null"),
        ("if(a > 1, 10, 20)", "!5", "20 bad"),
        ("if(true, 10, a)", "!5", "10"),
        ("coalesce(a, 7)", "!5", "7"),
        ("coalesce(a, a + 1)", "!5", "null bad"),
        ("min(a, 3)", "!5", "null bad"),
        ("1 in (a, 1)", "!5", "true"),
        ("1 in (1, a)", "!5", "true"),
        ("1 in (2, a)", "!5", "null bad"),
        ("a in (1, 2)", "-", "null"),
        ("a / 0", "5", "null"),
        ("a + b", "5", "null bad"),
        ("a == 5", "5.0", "true"),
        ("a == 5", "five", "null"),
    ];
    for (text, a, expected) in table {
        assert_eq!(evaluated(text, &[("a", a)]), expected, "{text} with {a}");
    }
}

#[test]
fn holds_only_when_exactly_true_by_good_data() {
    let holds = |text: &str, a: &str| {
        let expression = Expression::parse(text, &GUARD).expect(text);
        expression.holds(&slots(&expression, &[("a", a)]))
    };
    assert!(holds("a > 1", "5"));
    assert!(!holds("a > 1", "0"));
    assert!(!holds("a > 1", "!5"));
    assert!(!holds("not (a > 1)", "!5"));
    assert!(!holds("not (a > 1)", "-"));
    assert!(!holds("if(a > 1, false, true)", "!5"));
    assert!(holds("a > 1 or true", "!5"));
}

#[test]
fn results_carry_the_newest_time_of_what_decided_them() {
    let expression = Expression::parse("a > 1 or b > 1", &GUARD).expect("a guard");
    let at = |value: i64, seconds: i64| SlotValue::good(value.into(), Some(Timestamp::from_seconds(seconds)));
    let time = |slots: &[SlotValue]| expression.evaluate(slots).time.map(|time| time.as_millis() / 1000);
    assert_eq!(time(&[at(0, 10), at(0, 20)]), Some(20));
    assert_eq!(time(&[at(5, 10), at(0, 20)]), Some(10));
    assert_eq!(Expression::parse("1 + 1", &GUARD).expect("a sum").evaluate(&[]).time, None);
}

#[test]
fn explanations_show_every_step() {
    let expression = Expression::parse("fill_temp > a - 3 and running", &GUARD).expect("a guard");
    let (result, steps) = expression.explain(&slots(&expression, &[("fill_temp", "82.5"), ("a", "82"), ("running", "true")]));
    assert_eq!(result.value, Value::Boolean(true));
    let steps: Vec<String> = steps.iter().map(|step| format!("{} = {}", step.expression, step.result)).collect();
    assert_eq!(steps, ["a - 3 = 79", "fill_temp > a - 3 = true", "fill_temp > a - 3 and running = true"]);
    let flag = Expression::parse("acknowledged", &GUARD).expect("a flag");
    assert_eq!(flag.explain(&[SlotValue::good(true.into(), None)]).1.len(), 1);
}

#[test]
fn metrics_calculate_with_their_aggregates() {
    let expression = Expression::parse("sum(a) / count(b) + c", &METRIC).expect("a metric");
    assert_eq!(expression.aggregates().len(), 2);
    let number = |value: f64| SlotValue::good(value.into(), None);
    let slots: Vec<SlotValue> = expression
        .references
        .iter()
        .map(|name| if name.to_string() == "c" { number(1.0) } else { SlotValue::missing() })
        .collect();
    assert_eq!(expression.evaluate_metric(&slots, &[number(10.0), number(4.0)]).value, Value::Double(3.5));
    assert_eq!(expression.evaluate(&slots).value, Value::Null);
}

/// Any value a slot may hold.
fn any_slot() -> impl Strategy<Value = SlotValue> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::Double),
        (-9_i64..9).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(|text| Value::from(text.as_str())),
    ];
    let quality = prop_oneof![3 => Just(Quality::Good), 1 => Just(Quality::Uncertain), 1 => Just(Quality::Bad)];
    (value, quality).prop_map(|(value, quality)| SlotValue { value, quality, time: None })
}

/// Texts that look like expressions, right and wrong.
fn near_expression() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("a"),
        Just("b"),
        Just("p"),
        Just("s"),
        Just("machines.oee"),
        Just("("),
        Just(")"),
        Just(","),
        Just("+"),
        Just("-"),
        Just("*"),
        Just("/"),
        Just("%"),
        Just("^"),
        Just("=="),
        Just("!="),
        Just("<"),
        Just(">="),
        Just("and"),
        Just("or"),
        Just("not"),
        Just("!"),
        Just("in"),
        Just("if("),
        Just("min("),
        Just("round("),
        Just("avg("),
        Just("1"),
        Just("2.5"),
        Just("1e308"),
        Just("'x'"),
        Just("'"),
        Just("`"),
        Just("null"),
        Just("true"),
        Just("."),
        Just("°"),
        Just("5m"),
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.join(" "))
}

/// Right expressions of a type.
fn right_expression() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        (-5_i64..5).prop_map(|n| n.to_string()),
        Just("1e20".to_owned())
    ];
    let number = number.prop_recursive(5, 40, 3, |inner| {
        prop_oneof![
            (inner.clone(), "[-+*/%^]", inner.clone()).prop_map(|(a, sign, b)| format!("({a} {sign} {b})")),
            inner.clone().prop_map(|a| format!("-{a}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("min({a}, {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("round({a}, {b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("if({a} < {b}, {b}, {c})")),
            inner.clone().prop_map(|a| format!("coalesce(sqrt({a}), ln({a}), 1)")),
        ]
    });
    (number.clone(), number.clone(), number).prop_map(|(a, b, c)| format!("({a} <= {b} or not {c} in (1, {a})) and p"))
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*", near in near_expression()) {
        for text in [text, near] {
            for scope in [GUARD, METRIC] {
                if let Err(error) = Expression::parse(&text, &scope) {
                    prop_assert!(text.get(error.span.start..error.span.end).is_some(), "{:?} of {:?}", error.span, text);
                    prop_assert!(!error.message.is_empty());
                }
            }
        }
    }

    #[test]
    fn evaluation_is_total(text in prop_oneof![near_expression(), right_expression()], slots in proptest::collection::vec(any_slot(), 0..4)) {
        if let Ok(expression) = Expression::parse(&text, &METRIC) {
            let result = expression.evaluate(&slots);
            prop_assert!(result.value.as_f64().is_none_or(f64::is_finite), "{} gave {:?}", text, result);
            let (explained, _) = expression.explain(&slots);
            prop_assert_eq!(&explained, &result);
            prop_assert_eq!(expression.holds(&slots), result.value == Value::Boolean(true) && result.quality == Quality::Good);
        }
    }

    #[test]
    fn right_expressions_parse_and_print_back(text in right_expression()) {
        let expression = Expression::parse(&text, &GUARD).expect("a right expression");
        let again = tree(&expression, &expression.root);
        let functions = again.replace("Least(", "min(").replace("Round(", "round(").replace("Coalesce(", "coalesce(");
        let functions = functions.replace("Sqrt(", "sqrt(").replace("Ln(", "ln(");
        let reparsed = Expression::parse(&functions, &GUARD).expect("its print-out");
        prop_assert_eq!(tree(&reparsed, &reparsed.root), again);
    }
}
