//! The IoT Events form: values, undefined, failures, references, types, messages.

use super::*;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// A detector as expressions see it.
struct Stage {
    inputs: BTreeMap<&'static str, Json>,
    variables: BTreeMap<&'static str, Value>,
    expired: Vec<&'static str>,
    asked: Vec<String>,
    trigger: EventTrigger,
    current: &'static str,
}

impl EventScene for Stage {
    fn input(&self, input: &str) -> Option<&Json> {
        self.inputs.get(input)
    }

    fn variable(&self, name: &str) -> Option<Value> {
        self.variables.get(name).cloned()
    }

    fn timed_out(&mut self, timer: &str) -> bool {
        self.asked.push(timer.into());
        self.expired.contains(&timer)
    }

    fn trigger(&self) -> EventTrigger {
        self.trigger
    }

    fn is_current_input(&self, input: &str) -> bool {
        self.current == input
    }

    fn sitewise(&self, path: &[PathStep]) -> Option<Json> {
        (path.last() == Some(&PathStep::Name("value".into()))).then(|| json!(82))
    }
}

fn stage() -> Stage {
    let message = json!({
        "temp": 85, "limit": 82.5, "name": "Filler 2", "on": true, "nothing": null, "text5": "5", "max": i64::MAX, "min": i64::MIN,
        "list": [{ "x": 1 }, { "x": 2 }], "motor id": "M7", "in": 3, "true": 4, "whole": 20.0, "huge": 1e308, "word": "inf",
    });
    Stage {
        inputs: [("A", message)].into(),
        variables: [("n", Value::Integer(3)), ("s", "abc".into()), ("d", Value::Double(1.5)), ("b", Value::Boolean(true))]
            .into(),
        expired: vec!["gone"],
        asked: Vec::new(),
        trigger: EventTrigger::Message,
        current: "A",
    }
}

fn outcome(text: &str) -> String {
    match EventExpression::parse(text) {
        Ok(expression) => match expression.evaluate(&mut stage()) {
            EventOutcome::Value(Value::String(text)) => format!("'{text}'"),
            EventOutcome::Value(Value::Double(number)) => format!("{number:?}"),
            other => other.to_string(),
        },
        Err(error) => format!("error: {error}"),
    }
}

fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(outcome(text), *expected, "{text}");
    }
}

#[test]
fn values_and_operators() {
    check(&[
        ("1 + 2 * 3 - 4", "3"),
        ("(1 + 2) * 3", "9"),
        ("1 + 2.5", "3.5"),
        ("-2 - -3", "1"),
        ("'a' + \"b\"", "'ab'"),
        ("$input.A.temp > $input.A.limit && $input.A.on", "true"),
        ("$input.A.temp == 85.0", "true"),
        ("!$input.A.on || false", "false"),
        ("!$input.A.on == false", "true"),
        ("'abc' < 'abd' && 'b' >= 'a'", "true"),
        ("true != false", "true"),
        ("6 & 3 | 8 ^ 1", "11"),
        ("1 + 2 & 2", "2"),
        ("6 & 3 == 2", "true"),
        ("~5", "-6"),
        ("1 < 2 && 2 < 3 || 1 / 0 > 1", "true"),
        ("$input.A.list[1].x + $input.A.in + $input.A.true", "9"),
        ("$input.A.`motor id`", "'M7'"),
        ("$variable.n * $variable.d", "4.5"),
        ("$sitewise.assetModel.`m-1`.`p-1`.propertyValue.value - 2", "80"),
        ("$input.A.whole", "20.0"),
        ("\n  $input.A.temp >=  85 \n", "true"),
        ("'it''s'", "'it's'"),
        (r#"'{"a": "x\"y", "b": \'c\'}'"#, r#"'{"a": "x\"y", "b": 'c'}'"#),
    ]);
}

#[test]
fn whole_numbers_divide_to_the_nearest_half_away_from_zero() {
    check(&[
        ("7 / 2", "4"),
        ("-7 / 2", "-4"),
        ("5 / 3", "2"),
        ("4 / 3", "1"),
        ("-4 / 3", "-1"),
        ("1 / 2", "1"),
        ("-1 / 2", "-1"),
        ("1 / -2", "-1"),
        ("9223372036854775807 / 2", "4611686018427387904"),
        ("7 / 2.0", "3.5"),
        ("1 / 0", "undefined"),
        ("1 / 0.0", "undefined"),
        ("$input.A.min / -1", "undefined"),
        ("-$input.A.min", "undefined"),
        ("$input.A.max + 1", "undefined"),
        ("$input.A.max * 2", "undefined"),
        ("$input.A.huge * 10", "undefined"),
    ]);
}

#[test]
fn undefined_is_equal_to_nothing() {
    check(&[
        ("$variable.x != $variable.x", "true"),
        ("$variable.x == $variable.x", "false"),
        ("$variable.x != \"true\"", "true"),
        ("$variable.x == 1", "false"),
        ("$variable.x + 1", "undefined"),
        ("$variable.x + 'a'", "undefined"),
        ("$variable.x < 1", "undefined"),
        ("-$variable.x", "undefined"),
        ("!$variable.x", "undefined"),
        ("$variable.x || $input.A.on", "true"),
        ("$variable.x || false", "false"),
        ("$variable.x || $variable.y", "false"),
        ("true || $variable.x", "true"),
        ("false || $variable.x", "false"),
        ("$variable.x && true", "false"),
        ("true && $variable.x", "false"),
        ("isUndefined($variable.x)", "true"),
        ("isUndefined($input.A.temp)", "false"),
        ("isUndefined($input.A.list[7].x)", "true"),
        ("isUndefined($input.B.temp)", "true"),
        ("isUndefined($input.A.nothing)", "false"),
        ("isNull($input.A.nothing)", "true"),
        ("isNull($variable.x)", "false"),
        ("$input.A.nothing != $input.A.nothing", "true"),
        ("$input.A.nothing + 1", "undefined"),
        ("convert(String, $variable.x)", "undefined"),
        ("contains($variable.x, 'a')", "undefined"),
    ]);
}

#[test]
fn types_that_do_not_go_together_fail() {
    check(&[
        ("1 == '1'", "failed: `==` takes an integer and a string, which do not go together"),
        ("1.5 != true", "failed: `!=` takes a decimal and a Boolean, which do not go together"),
        ("'true' == true", "failed: `==` takes a string and a Boolean, which do not go together"),
        ("'a' + 1", "failed: `+` takes a string and an integer, which do not go together"),
        ("'a' * 'b'", "failed: `*` takes a string and a string, which do not go together"),
        ("true < false", "failed: `<` takes a Boolean and a Boolean, which do not go together"),
        ("1.5 & 1", "failed: `&` takes a decimal and an integer, which do not go together"),
        ("!1", "failed: `!` takes a Boolean, here is an integer"),
        ("-'a'", "failed: `-` takes a number, here is a string"),
        ("~1.5", "failed: `~` takes an integer, here is a decimal"),
        ("1 && true", "failed: `&&` takes Booleans, here is `1`"),
        ("false || 'a'", "failed: `||` takes Booleans, here is `a`"),
        ("$input.A.list == 1", "failed: `==` takes an object or a list and an integer, which do not go together"),
        ("$input.A", "failed: an object or a list is no value"),
        ("true || 1 == 'a'", "true"),
        ("1 == 'a' || true", "failed: `==` takes an integer and a string, which do not go together"),
    ]);
}

#[test]
fn functions() {
    check(&[
        ("convert(String, 5)", "'5'"),
        ("convert(String, 1.5)", "'1.5'"),
        ("convert(String, true)", "'true'"),
        ("convert(Decimal, '1.5') + 1", "2.5"),
        ("convert(Decimal, $input.A.text5)", "5.0"),
        ("convert(Boolean, 'TRUE')", "true"),
        ("convert(Decimal, 'abc') == 1 || true", "failed: `abc`, a string, cannot be converted to Decimal"),
        ("convert(Decimal, $input.A.word)", "failed: `inf`, a string, cannot be converted to Decimal"),
        ("convert(Boolean, 1)", "failed: `1`, an integer, cannot be converted to Boolean"),
        ("startsWith($input.A.name, 'Fill') && endsWith($input.A.name, \"2\") && contains($input.A.name, 'er')", "true"),
        ("startsWith(1, 'a')", "undefined"),
        ("bitor(6, 1) + bitand(6, 3) + bitxor(6, 3) + bitnot(0)", "13"),
        ("bitand(1.5, 1)", "undefined"),
        ("timeout('gone')", "true"),
        ("timeout(\"other\")", "false"),
        ("triggerType(\"Message\") && !triggerType('Timer')", "true"),
        ("currentInput(\"A\") && !currentInput('B')", "true"),
    ]);
}

#[test]
fn templates() {
    check(&[
        ("'at ${$input.A.temp} of ${convert(String, $variable.n)}'", "'at 85 of 3'"),
        (r#"'{"name": "${$input.A.name}", "t": ${$input.A.temp + 1}}'"#, r#"'{"name": "Filler 2", "t": 86}'"#),
        ("'${'a' + \"}\"}' + 'b'", "'a}b'"),
        ("\"${'x ${$variable.n}'}\"", "'x 3'"),
        ("'${$variable.x} and ${$input.A.nothing}'", "'undefined and null'"),
        ("'${1 == 'a'}'", "failed: `==` takes an integer and a string, which do not go together"),
        ("'${$input.A.list}'", "'[{\"x\":1},{\"x\":2}]'"),
        ("'no $ and no {template}'", "'no $ and no {template}'"),
    ]);
}

#[test]
fn short_cuts_leave_timers_alone() {
    let asked = |text: &str| {
        let mut stage = stage();
        EventExpression::parse(text).expect(text).evaluate(&mut stage);
        stage.asked
    };
    assert_eq!(asked("true || timeout('gone')"), Vec::<String>::new());
    assert_eq!(asked("false && timeout('gone')"), Vec::<String>::new());
    assert_eq!(asked("timeout('gone') && timeout('x') && timeout('y')"), ["gone", "x"]);
}

#[test]
fn references_are_listed_once() {
    let text = "$input.A.b[0].c > 1 && timeout('t') && $input.A.b[0].c < $variable.x || currentInput('B') && $variable.x != $sitewise.assetModel.`m`.assetId";
    let expression = EventExpression::parse(text).expect(text);
    let references = expression.references();
    assert_eq!(references.inputs.iter().map(ToString::to_string).collect::<Vec<_>>(), ["$input.A.b[0].c"]);
    let names = |list: &[(Arc<str>, Span)]| list.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&references.variables), ["x"]);
    assert_eq!(names(&references.timers), ["t"]);
    assert_eq!(names(&references.current_inputs), ["B"]);
    assert_eq!(references.sitewise.len(), 1);
    assert_eq!(references.functions, [EventFunction::Timeout, EventFunction::CurrentInput]);
    assert!(!references.trigger);
    let inside = EventExpression::parse("'a ${$input.`1.x`.`odd name`}'").expect("a template");
    assert_eq!(inside.references().inputs[0].to_string(), "$input.`1.x`.`odd name`");
}

#[test]
fn mistakes_name_the_place_and_the_way_out() {
    let table = [
        ("", "[] an expression was expected | write a value, a name or a formula"),
        ("$inputs.A.b", "[$inputs] there is no `$inputs` | did you mean `$input`?"),
        ("$input", "[$input] `$input` needs a name | write `$input.Name.attribute`"),
        ("$variable.x.y", "[$variable.x.y] the variable `x` has no parts | a variable is a number, a text, true or false"),
        ("timeOut('t')", "[timeOut] there is no function `timeOut` | did you mean `timeout`?"),
        ("timeout($variable.t)", "[$variable.t] `timeout` takes a name in quotes | write `timeout(\"name\")`"),
        ("timeout()", "[timeout()] `timeout` takes one value, here are 0 | write `timeout(\"name\")`"),
        ("triggerType('timer')", "['timer'] there is no trigger `timer` | there are \"Message\" and \"Timer\""),
        ("convert(Decmal, 1)", "[Decmal] `convert` takes a type first | did you mean `Decimal`?"),
        (
            "temp > 5",
            "[temp] `temp` means nothing here | a variable is written `$variable.temp`, an input `$input.temp.…`, and a text stands in quotes",
        ),
        ("A.temp > 5", "[A.temp] `A.temp` means nothing here | an input is written `$input.A.temp`, a text stands in quotes"),
        ("True", "[True] `True` means nothing here | write `true`"),
        ("5 % 2", "[%] an operator or the end was expected, found `%` | there is no remainder in this form"),
        ("1 = 2", "[=] `=` is not a comparison | write `==`"),
        ("true and false", "[and] an operator or the end was expected, found `and` | write `&&`"),
        ("1 < 2 < 3", "[<] comparisons cannot be chained | write `a < b and b < c`, or put one comparison in parentheses"),
        (
            "$input.A.b[x]",
            "[x] a position such as 0 after `[` was expected, found `x` | an operator seems to be missing before it",
        ),
        ("$input.A.1b", "[.1b] `.1b` is neither a number nor a name | numbers stand without their unit: write .1"),
        ("'a ${1 + }'", "[] a value was expected, found the end | "),
        ("'a ${1'", "[${1'] the `${` that opens here is never closed | close it with `}` before the text ends"),
        ("'abc", "['abc] the ' that opens here is never closed | close it with '; inside, '' stands for one '"),
    ];
    for (text, expected) in table {
        let error = EventExpression::parse(text).expect_err(text);
        let marked = &text[error.span.start..error.span.end];
        assert_eq!(format!("[{marked}] {} | {}", error.message, error.hint), expected, "{text}");
    }
}

#[test]
fn types_are_known_where_the_text_tells_them() {
    let table = [
        ("1 + $variable.x", Some(Type::Number)),
        ("$variable.x", None),
        ("$variable.x + $variable.y", None),
        ("$variable.x == 1", Some(Type::Boolean)),
        ("'a' + $variable.x", Some(Type::String)),
        ("'a ${1}'", Some(Type::String)),
        ("convert(Decimal, $variable.x)", Some(Type::Number)),
        ("bitnot(1)", Some(Type::Number)),
        ("isNull(1)", Some(Type::Boolean)),
    ];
    for (text, expected) in table {
        assert_eq!(EventExpression::parse(text).expect(text).result_type(), expected, "{text}");
    }
    let uses = |text: &str| {
        let uses = EventExpression::parse(text).expect(text).type_uses();
        uses.iter().map(|used| format!("{}: {}", used.reference, used.wanted)).collect::<Vec<_>>()
    };
    assert_eq!(uses("$variable.x + 1 > 3 && $input.A.s == 'a'"), ["$variable.x: a number", "$input.A.s: a text"]);
    assert_eq!(uses("!$variable.b && startsWith($variable.t, 'x')"), ["$variable.b: true or false", "$variable.t: a text"]);
    let conflicts = |text: &str| EventExpression::parse(text).expect(text).conflicts().len();
    assert_eq!(conflicts("1 == 'a' && !2 && 'x' + 1 > 2"), 3);
    assert_eq!(conflicts("$variable.x == 'a' && $variable.x == 1"), 0);
    let substitutions = |text: &str| {
        let found = EventExpression::parse(text).expect(text).substitutions();
        found.iter().map(|(span, _, quoted)| (text[span.start..span.end].to_owned(), *quoted)).collect::<Vec<_>>()
    };
    let payload = r#"'{"a": "x ${$variable.x}", "b": ${1 + 1}}'"#;
    assert_eq!(substitutions(payload), [("$variable.x".to_owned(), true), ("1 + 1".to_owned(), false)]);
}

#[test]
fn explanations_show_what_was_asked() {
    let expression = EventExpression::parse("$input.A.temp > 80 && $variable.x != 1 || timeout('t')").expect("a condition");
    let (outcome, steps) = expression.explain(&mut stage());
    assert!(outcome.holds());
    let steps: Vec<String> = steps.iter().map(|step| format!("{} = {}", step.expression, step.result)).collect();
    assert_eq!(
        steps,
        [
            "$input.A.temp = 85",
            "$input.A.temp > 80 = true",
            "$variable.x = null",
            "$variable.x != 1 = true",
            "$input.A.temp > 80 && $variable.x != 1 = true",
            "$input.A.temp > 80 && $variable.x != 1 || timeout('t') = true",
        ]
    );
}

#[test]
fn size_depth_and_results_are_bounded() {
    assert!(EventExpression::parse(&"(".repeat(8000)).is_err());
    assert!(EventExpression::parse(&"!".repeat(8000)).is_err());
    assert!(EventExpression::parse(&"'${".repeat(2000)).is_err());
    let mut stage = stage();
    stage.variables.insert("s", "x".repeat(MAX_RESULT).as_str().into());
    let grown = EventExpression::parse("$variable.s + $variable.s").expect("a sum").evaluate(&mut stage);
    assert_eq!(grown, EventOutcome::Failed("the text is longer than 65536 bytes".into()));
    let grown = EventExpression::parse("'${$variable.s}!'").expect("a template").evaluate(&mut stage);
    assert!(matches!(grown, EventOutcome::Failed(_)));
}
