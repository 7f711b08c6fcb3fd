//! The SiteWise form: values, texts, documents, times, aggregates, messages.

use super::*;
use crate::{
    Quality, Timestamp, Value,
    definition::CounterRule,
    expression::{Aggregate, AggregateInput, NodeKind, SlotValue, aggregate},
    window::Window,
};

/// Variables x y z (numbers), s (text), b (Boolean), a (an attribute), m (a metric), c (children). `E` is a variable too.
struct Names(FormulaKind);

impl FormulaScope for Names {
    fn variable(&self, name: &str) -> Option<FormulaVariable> {
        let (value_type, role) = match name {
            "x" | "y" | "z" | "E" | "c" => (Type::Number, Role::Samples),
            "s" => (Type::String, Role::Samples),
            "b" => (Type::Boolean, Role::Samples),
            "a" => (Type::Number, Role::Attribute),
            "m" => (Type::Number, Role::Metric),
            _ => return None,
        };
        let reference = match name {
            "c" => Reference::Children { hierarchy: "machines".into(), property: "speed".into() },
            name => Reference::Own(name.into()),
        };
        Some(FormulaVariable { reference, value_type, role })
    }

    fn names(&self) -> Vec<String> {
        ["x", "y", "z", "E", "s", "b", "a", "m", "c"].map(str::to_owned).into()
    }

    fn kind(&self) -> FormulaKind {
        self.0
    }
}

const TRANSFORM: Names = Names(FormulaKind::Transform);
const METRIC: Names = Names(FormulaKind::Metric);

/// x = 10, y = 3, z has none, E = 7, s = 'Filler 2', b = true, a = 5; pretrigger(x) = 9; the time is 2026-07-01 12:00:30.5 UTC.
fn slot(reference: &Reference) -> SlotValue {
    let time = Some(Timestamp::from_nanos(1_782_907_230_500_000_000));
    let value: Value = match reference {
        Reference::Time => Value::Double(1_782_907_230.5),
        Reference::Before(_) => return SlotValue::good(Value::Double(9.0), Some(Timestamp::from_seconds(1_782_907_200))),
        Reference::Own(name) => match &**name {
            "x" => Value::Double(10.0),
            "y" => Value::Double(3.0),
            "E" => Value::Double(7.0),
            "s" => r#"Filler 2"#.into(),
            "b" => Value::Boolean(true),
            "a" => Value::Integer(5),
            _ => return SlotValue::missing(),
        },
        _ => return SlotValue::missing(),
    };
    SlotValue::good(value, time)
}

fn shown(value: Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}

fn outcome(text: &str) -> String {
    match parse(text, &TRANSFORM) {
        Ok(formula) => shown(formula.evaluate(&formula.references.iter().map(slot).collect::<Vec<_>>()).value),
        Err(error) => format!("error: {error}"),
    }
}

fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(outcome(text), *expected, "{text}");
    }
}

#[test]
fn numbers_operators_and_constants() {
    check(&[
        ("1 + 2.0 * .5 - 7.89e3", "-7888"),
        ("-23.1", "-23.1"),
        ("x / y", "3.3333333333333335"),
        ("x % y + -x % y", "0"),
        ("2 ^ 3 ^ 2", "512"),
        ("-2 ^ 2", "-4"),
        ("(-2) ^ 2", "4"),
        ("x > y", "1"),
        ("x <= y", "0"),
        ("x == 10", "1"),
        ("x != 10", "0"),
        ("'b' > 'a'", "1"),
        ("'10' == 10", "none"),
        ("x / 0", "none"),
        ("PI > 3.14 and Pi < 3.15", "1"),
        ("true + TRUE + False", "2"),
        ("e > 2.71 and e < 2.72", "1"),
        ("E", "7"),
        ("none", "none"),
        ("none + 1", "none"),
        ("b + 1", "2"),
        ("b", "1"),
        ("x + z", "none"),
        ("if(x > 3, 1, z)", "none"),
    ]);
}

#[test]
fn and_or_not_give_values() {
    check(&[
        ("x and y", "3"),
        ("0 and y", "0"),
        ("x or y", "1"),
        ("0 or y", "3"),
        ("'' or 'text'", "'text'"),
        ("none or 5", "5"),
        ("none and 5", "0"),
        ("not x", "0"),
        ("!0", "1"),
        ("not ''", "1"),
        ("not none", "1"),
        ("not x == 10", "0"),
        ("x > 3 and y > 5 or 4", "4"),
        ("X AND y", "error: there is no variable `X`"),
        ("x AND y Or 0", "1"),
    ]);
}

#[test]
fn comparisons_as_functions_forgive_a_little() {
    check(&[
        ("eq(1, 1 + 1e-10)", "1"),
        ("1 == 1 + 1e-10", "0"),
        ("neq(1, 1 + 1e-10)", "1"),
        ("gte(1, 1 + 1e-10)", "1"),
        ("1 >= 1 + 1e-10", "0"),
        ("lte(1 + 1e-10, 1)", "1"),
        ("gt(1, 1 - 1e-10)", "1"),
        ("lt(1 - 1e-10, 1)", "1"),
        ("eq(1, 1.00001)", "0"),
        ("x.gt(3)", "1"),
        ("x.GT(30)", "0"),
        ("(x + y).lte(13).eq(1)", "1"),
        ("5.gt(3)", "1"),
        ("eq('a', 'a')", "1"),
        ("gte('b', 'a')", "1"),
        ("eq('1', 1)", "none"),
        ("isnan(sqrt(-1))", "1"),
        ("isnan(0 / 0)", "1"),
        ("isnan(x)", "0"),
        ("isnan(s)", "none"),
        ("sqrt(-1)", "none"),
        ("if(sqrt(-1), 'yes', 'no')", "'yes'"),
    ]);
}

#[test]
fn functions_of_numbers() {
    check(&[
        ("abs(-2) + ceil(1.2) + floor(1.8) + signum(-3) + signum(0)", "4"),
        ("ABS(-2)", "2"),
        ("cbrt(27) + sqrt(16) + log2(8) + log10(1000)", "13"),
        ("log(e)", "1"),
        ("exp(0) + expm1(0) + log1p(0)", "1"),
        ("pow(2, 10)", "1024"),
        ("2.pow(3)", "8"),
        ("sin(0) + cos(0) + tan(0) + sinh(0) + cosh(0) + tanh(0)", "2"),
        ("acos(1) + asin(0) + atan(0)", "0"),
        ("cot(0)", "none"),
        ("exp(1000)", "none"),
        ("abs(s)", "error: `abs` takes numbers, and this is a text"),
    ]);
}

#[test]
fn choices() {
    check(&[
        ("if(x.gt(3), 'a', 'b')", "'a'"),
        ("if(0, 1)", "none"),
        ("if(x, 1, none)", "1"),
        ("if('', 1, 2)", "2"),
        ("if(x > 20, 'high').elif(x > 5, 'middle', 'low')", "'middle'"),
        ("if(x > 20, 'high').elif(x > 15, 'middle', 'low')", "'low'"),
        ("if(x > 20, 1).elif(x > 15, 2).elif(x > 9, 3).elif(x > 8, 4, 5)", "3"),
        ("if(x > 20, 1).elif(x > 15, 2)", "none"),
        ("x.if(1, 2)", "1"),
        ("if(x, 1, 2).elif(y, 3, 4)", "error: an `elif` follows what has its last value already"),
        ("x.elif(y, 3)", "error: `elif` follows an `if`"),
    ]);
}

#[test]
fn texts() {
    check(&[
        ("'it''s' + \" \"\"x\"\"\"", "'it's \"x\"'"),
        ("s + ' ' + x", "'Filler 2 10'"),
        ("x + s", "'10Filler 2'"),
        ("len(s)", "8"),
        ("find(s, 'l')", "2"),
        ("s.find('q')", "-1"),
        ("contains(s, 'ler')", "1"),
        ("upper(s) + lower('ÄB')", "'FILLER 2äb'"),
        ("join(', ', s, 'b', 3)", "'Filler 2, b, 3'"),
        ("s[0] + s[-1]", "'F2'"),
        ("s[99]", "none"),
        ("s[0:4]", "'Fill'"),
        ("s[-3:]", "'r 2'"),
        ("s[:]", "'Filler 2'"),
        ("s[::-1]", "'2 relliF'"),
        ("s[6:0:-2]", "' el'"),
        ("s[none:2]", "'Fi'"),
        ("s[0:4:0]", "none"),
        ("'abc'[1]", "'b'"),
        ("len(x)", "none"),
        ("s - 1", "error: `-` takes numbers, and this is a text"),
    ]);
    let long = format!("'{}'", "x".repeat(600));
    assert_eq!(outcome(&format!("{long} + {long}")), "none");
    assert_eq!(outcome(&format!("len({long})")), "600");
}

#[test]
fn formats() {
    check(&[
        ("format('%.2f', x / y)", "'3.33'"),
        ("format(x:\"%05.1f\")", "'010.0'"),
        ("x.format('%d')", "'10'"),
        ("f'{s}: {x / y:\"%.1f\"} of {{{x}}}'", "'Filler 2: 3.3 of {10}'"),
        ("f\"{s:'%5.2s'}|\"", "'   Fi|'"),
        ("format('%d', x / y)", "none"),
        ("format('%t', x)", "error: the code `%t` is not supported; there are %d %f %e %g %s %x %o %c %b %%"),
        ("format('%d %d', x)", "error: the format takes 2 values, here are 1"),
    ]);
}

#[test]
fn documents() {
    let document =
        r#"'{"a": {"b": [1, 2.5, "7", null, true]}, "s": "7", "o d": {"x": 1}, "n": [{"v": 1}, {"v": 2}, {"w": 3}]}'"#;
    let table = [
        ("$.a.b[0]", "1"),
        ("$.a.b[1]", "2.5"),
        ("$.a.b[-1]", "1"),
        ("$.a.b[2]", "'7'"),
        ("$['a']['b'][0]", "1"),
        ("$['o d'].x", "1"),
        ("$.a.b[3]", "none"),
        ("$.a.c", "none"),
        ("$.a.b[9]", "none"),
        ("$.a", "none"),
    ];
    for (path, expected) in table {
        assert_eq!(outcome(&format!("jp({document}, \"{path}\")")), expected, "{path}");
    }
    let values = [
        ("len(jp(D, '$.a.b'))", "5"),
        ("len(jp(D, '$.n[*].v'))", "2"),
        ("jp(D, '$..v')[1]", "2"),
        ("jp(D, '$.a.b[0:2]')[1]", "2.5"),
        ("jp(D, '$.a.b[0,2]')[1]", "'7'"),
        ("jp(jp(D, '$.s'), '$') + 1", "8"),
        ("jp(jp(D, '$.a'), '$.b[0]')", "1"),
        ("jp('no json', '$.a')", "none"),
        ("not jp('[]', '$')", "1"),
        ("jp(D, s)", "error: the path of `jp` stands in quotes"),
        ("jp(D, '$.a[?(@.b)]')", "error: filters in a path are not supported"),
        ("jp(D, 'a.b')", "error: a path begins with `$`"),
    ];
    let document = document.replace('\'', "");
    let document = format!("'{}'", document.replace('\'', "''"));
    for (text, expected) in values {
        assert_eq!(outcome(&text.replace('D', &document)), expected, "{text}");
    }
}

#[test]
fn times() {
    check(&[
        ("timestamp()", "1782907230.5"),
        ("now()", "1782907230.5"),
        ("timestamp(x) - timestamp(pretrigger(x))", "30.5"),
        ("pretrigger(x)", "9"),
        ("hour(localtime(now(), 'Europe/Berlin'))", "14"),
        ("hour(localtime(timestamp(), '+2'))", "14"),
        ("HOUR(localtime(now(), 'BST'))", "18"),
        ("minute(localtime(now(), 'IST')) + sec(localtime(now(), 'Z'))", "60.5"),
        ("year(localtime(0, 'EST'))", "1969"),
        ("wday(localtime(now(), 'Z'))", "3"),
        ("yday(localtime(now(), 'Z')) + mon(localtime(now(), 'Z')) + mday(localtime(now(), 'Z'))", "190"),
        ("mktime('Europe/Berlin', 2026, 7, 1, 14, 0, 30.5)", "1782907230.5"),
        ("mktime(2026, 7, 1, 14, 0, 30, 'GMT+2')", "1782907230"),
        ("mktime(2026, 7, 1, 12, 0, 30)", "1782907230"),
        ("mktime(1969, 7, 1, 12, 0, 30)", "none"),
        ("localtime(now(), 'Z')", "error: `localtime` is no number by itself"),
        ("hour(localtime(now(), 'Europe/Brlin'))", "error: there is no time zone `Europe/Brlin`"),
    ]);
}

#[test]
fn mistakes_name_the_place_and_the_way_out() {
    let table: [(&Names, &str, &str); 14] = [
        (&TRANSFORM, "xx + 1", "[xx] there is no variable `xx` | did you mean `x`?"),
        (&TRANSFORM, "Pressure", "[Pressure] there is no variable `Pressure` | its variables are x, y, z, E, s, b, a, m, c"),
        (&TRANSFORM, "sqr(x)", "[sqr] there is no function `sqr` | did you mean `sqrt`?"),
        (&TRANSFORM, "gt(x)", "[gt(x)] `gt` does not take 1 values | write `gt(x, y)` or `x.gt(y)`"),
        (
            &TRANSFORM,
            "avg(x)",
            "[avg(x)] `avg` needs the samples of a window; only metrics have one | make the property a metric with a window",
        ),
        (
            &METRIC,
            "pretrigger(x)",
            "[pretrigger(x)] `pretrigger` is for transforms only | `earliest(x)` is the value from before the window",
        ),
        (
            &METRIC,
            "min(x / y)",
            "[x / y] each value of `min` may read one variable only | make the formula a transform, and aggregate that",
        ),
        (
            &METRIC,
            "sum(x * avg(x))",
            "[x * avg(x)] this mixes the samples of a variable with another aggregate in `sum` | make the inner one a metric of its own",
        ),
        (&METRIC, "c + 1", "[c] `c` has one value for every child | say how they become one: `sum(c)`, `avg(c)`"),
        (&METRIC, "latest(c)", "[c] `latest` takes a property of the asset itself, not of its children | "),
        (&METRIC, "statetime(m)", "[m] `statetime` does not take a metric | take the measurement or transform it is made of"),
        (
            &METRIC,
            "TimeWeightedAvg(x, 'cubic')",
            "['cubic'] there is no such interpolation | write 'locf' (a value holds until the next) or 'linear'",
        ),
        (&TRANSFORM, "x = 1", "[=] `=` is not a comparison | write `==`"),
        (&TRANSFORM, "$x", "[$] `$` has no meaning in an expression | names stand as they are: `fill_temp`, `machines.oee`"),
    ];
    for (scope, text, expected) in table {
        let error = parse(text, scope).expect_err(text);
        let marked = &text[error.span.start..error.span.end];
        assert_eq!(format!("[{marked}] {} | {}", error.message, error.hint), expected, "{text}");
    }
}

/// Samples of x in minute 1, one of 4 carried in: 8 at 1:15, 2 at 1:45; y has 6 at 1:30; c and m and z have none.
fn metric(text: &str) -> String {
    let formula = match parse(text, &METRIC) {
        Ok(formula) => formula,
        Err(error) => return format!("error: {error}"),
    };
    let at = Timestamp::from_seconds;
    let window = Window { start: at(60), end: at(120) };
    let samples = |reference: &Reference| -> Vec<(Timestamp, Value)> {
        match reference.to_string().as_str() {
            "x" => vec![(at(30), 4.0.into()), (at(75), 8.0.into()), (at(105), 2.0.into())],
            "y" => vec![(at(90), 6.0.into())],
            "z" => vec![(at(30), 1.0.into())],
            _ => Vec::new(),
        }
    };
    let result = formula.evaluate_leaves(&|leaf| {
        let value = match &leaf.kind {
            NodeKind::Slot(slot) => match &formula.references[*slot] {
                Reference::Time => Value::Double(120.0),
                other if other.to_string() == "a" => Value::Double(5.0),
                _ => Value::Null,
            },
            NodeKind::Aggregate(kind, argument) => {
                let mut slots = Vec::new();
                argument.collect_slots(&mut slots);
                let samples: Vec<_> = samples(&formula.references[slots[0]])
                    .into_iter()
                    .map(|(time, value)| {
                        let slot = SlotValue::good(value, Some(time));
                        (time, formula.evaluate_part(argument, &|_| Some(slot.clone())).value)
                    })
                    .collect();
                aggregate(*kind, AggregateInput { window, samples: &samples, counter: CounterRule::Reset })
            }
            _ => Value::Null,
        };
        Some(SlotValue { value, quality: Quality::Good, time: Some(window.end) })
    });
    shown(result.value)
}

#[test]
fn aggregates_and_functions_of_a_window() {
    let table = [
        ("avg(x)", "5"),
        ("sum(x) + min(x) + max(x) + count(x)", "22"),
        ("stdev(x)", "4.242640687119285"),
        ("first(x) * 10 + last(x)", "82"),
        ("latest(x)", "2"),
        ("earliest(x)", "4"),
        ("earliest(y)", "none"),
        ("latest(z)", "1"),
        ("z", "none"),
        ("x + y", "8"),
        ("x + a", "7"),
        ("statetime(x)", "60"),
        ("statetime(x - 5)", "30"),
        ("count(z)", "0"),
        ("sum(z)", "none"),
        ("TimeWeightedAvg(x)", "5.5"),
        ("timeweightedavg(x, 'linear')", "4.833333333333333"),
        ("TimeWeightedStDev(x)", "2.598076211353316"),
        ("sum(x / 2, y * 2)", "17"),
        ("avg(x, y)", "5.333333333333333"),
        ("max(x, 100)", "100"),
        ("max(z, 100)", "none"),
        ("max(latest(z), a)", "5"),
        ("count(x, y)", "3"),
        ("stdev(x, y)", "3.055050463303893"),
        ("avg(latest(x), earliest(x))", "3"),
        ("sum(if(x > 5, 1, 0))", "1"),
        ("if(count(z) > 0, avg(z), -1)", "-1"),
        ("timestamp()", "120"),
        ("max(a)", "5"),
        ("latest(a)", "5"),
    ];
    for (text, expected) in table {
        assert_eq!(metric(text), expected, "{text}");
    }
    assert!(parse("sum(c)", &METRIC).is_ok());
    let pooled = parse("avg(x, y)", &METRIC).expect("a formula").aggregates().len();
    assert_eq!(pooled, 4, "a count and a mean of each");
    assert!(Aggregate::Before.carries_in());
}
