//! The thirteen kinds of actions: their fields and what each field holds. The one place that knows them; reading, evaluating and
//! writing walk this table.

/// A kind of action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of IoT Events")]
pub enum ActionKind {
    SetVariable,
    SetTimer,
    ResetTimer,
    ClearTimer,
    Sns,
    IotTopicPublish,
    Lambda,
    IotEvents,
    Sqs,
    Firehose,
    DynamoDb,
    DynamoDbV2,
    IotSiteWise,
}

/// What a kind of action requires and allows.
#[derive(Debug)]
pub struct ActionShape {
    /// The kind.
    pub kind: ActionKind,
    /// Its member name.
    pub name: &'static str,
    /// Its fields; inner members after a dot.
    pub fields: &'static [FieldShape],
    /// Whether it sends a payload.
    pub payload: bool,
}

/// One field.
#[derive(Debug)]
pub struct FieldShape {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub rule: FieldRule,
    /// Whether it must be there.
    pub required: bool,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldRule {
    /// A text taken literally.
    Text,
    /// The name of a variable or timer.
    Name,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Whole seconds.
    Seconds,
    /// True or false.
    Flag,
    /// An expression.
    Expression,
    /// An expression, or a text without quotes, `$` and `+` taken literally: real files hold bare topics and names.
    ExpressionOrText,
}

use FieldRule::{Expression, ExpressionOrText, Flag, Name, Seconds, Text, Word};

const fn required(name: &'static str, rule: FieldRule) -> FieldShape {
    FieldShape { name, rule, required: true }
}

const fn optional(name: &'static str, rule: FieldRule) -> FieldShape {
    FieldShape { name, rule, required: false }
}

const fn shape(kind: ActionKind, name: &'static str, payload: bool, fields: &'static [FieldShape]) -> ActionShape {
    ActionShape { kind, name, fields, payload }
}

/// All kinds, in the order of [`ActionKind`].
pub(super) static SHAPES: [ActionShape; 13] = [
    shape(ActionKind::SetVariable, "setVariable", false, &[required("variableName", Name), required("value", Expression)]),
    shape(
        ActionKind::SetTimer,
        "setTimer",
        false,
        &[required("timerName", Name), optional("seconds", Seconds), optional("durationExpression", Expression)],
    ),
    shape(ActionKind::ResetTimer, "resetTimer", false, &[required("timerName", Name)]),
    shape(ActionKind::ClearTimer, "clearTimer", false, &[required("timerName", Name)]),
    shape(ActionKind::Sns, "sns", true, &[required("targetArn", Text)]),
    shape(ActionKind::IotTopicPublish, "iotTopicPublish", true, &[required("mqttTopic", ExpressionOrText)]),
    shape(ActionKind::Lambda, "lambda", true, &[required("functionArn", Text)]),
    shape(ActionKind::IotEvents, "iotEvents", true, &[required("inputName", Text)]),
    shape(ActionKind::Sqs, "sqs", true, &[required("queueUrl", Text), optional("useBase64", Flag)]),
    shape(
        ActionKind::Firehose,
        "firehose",
        true,
        &[required("deliveryStreamName", Text), optional("separator", Word(&["\n", "\t", "\r\n", ","]))],
    ),
    shape(
        ActionKind::DynamoDb,
        "dynamoDB",
        true,
        &[
            required("tableName", ExpressionOrText),
            required("hashKeyField", ExpressionOrText),
            required("hashKeyValue", Expression),
            optional("hashKeyType", ExpressionOrText),
            optional("rangeKeyField", ExpressionOrText),
            optional("rangeKeyValue", Expression),
            optional("rangeKeyType", ExpressionOrText),
            optional("operation", ExpressionOrText),
            optional("payloadField", ExpressionOrText),
        ],
    ),
    shape(ActionKind::DynamoDbV2, "dynamoDBv2", true, &[required("tableName", ExpressionOrText)]),
    shape(
        ActionKind::IotSiteWise,
        "iotSiteWise",
        false,
        &[
            optional("entryId", ExpressionOrText),
            optional("assetId", ExpressionOrText),
            optional("propertyId", ExpressionOrText),
            optional("propertyAlias", ExpressionOrText),
            optional("propertyValue.value.stringValue", Expression),
            optional("propertyValue.value.integerValue", Expression),
            optional("propertyValue.value.doubleValue", Expression),
            optional("propertyValue.value.booleanValue", Expression),
            optional("propertyValue.timestamp.timeInSeconds", Expression),
            optional("propertyValue.timestamp.offsetInNanos", Expression),
            optional("propertyValue.quality", ExpressionOrText),
        ],
    ),
];

impl ActionKind {
    /// What it requires and allows.
    pub fn shape(self) -> &'static ActionShape {
        &SHAPES[self as usize]
    }

    /// Its member name.
    pub fn name(self) -> &'static str {
        self.shape().name
    }

    /// Whether it only changes the detector itself.
    pub fn is_internal(self) -> bool {
        matches!(self, Self::SetVariable | Self::SetTimer | Self::ResetTimer | Self::ClearTimer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_kinds() {
        for (position, shape) in SHAPES.iter().enumerate() {
            assert_eq!(shape.kind as usize, position, "{}", shape.name);
        }
    }
}
