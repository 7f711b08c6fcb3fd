//! What AWS answers to a reference to a resource: a name, an address (ARN) or an id.

/// What `Ref` gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The resource's name.
    Name,
    /// Its ARN.
    Arn,
    /// An id that AWS makes: the logical id stands for it.
    Id,
    /// The URL of a queue.
    Url,
}

/// A kind of resource that definitions of plants refer to.
pub(super) struct Known {
    pub resource_type: &'static str,
    /// The property that holds its name.
    pub name: &'static str,
    /// What `Ref` gives.
    pub reference: Answer,
    /// Service and resource part of its ARN.
    pub arn: (&'static str, &'static str),
}

const fn known(
    resource_type: &'static str,
    name: &'static str,
    reference: Answer,
    service: &'static str,
    resource: &'static str,
) -> Known {
    Known { resource_type, name, reference, arn: (service, resource) }
}

const KNOWN: &[Known] = &[
    known("AWS::IoTEvents::Input", "InputName", Answer::Name, "iotevents", "input/"),
    known("AWS::IoTEvents::DetectorModel", "DetectorModelName", Answer::Name, "iotevents", "detectorModel/"),
    known("AWS::IoTEvents::AlarmModel", "AlarmModelName", Answer::Name, "iotevents", "alarmModel/"),
    known("AWS::IoTSiteWise::AssetModel", "", Answer::Id, "iotsitewise", "asset-model/"),
    known("AWS::IoTSiteWise::Asset", "", Answer::Id, "iotsitewise", "asset/"),
    known("AWS::SNS::Topic", "TopicName", Answer::Arn, "sns", ""),
    known("AWS::SQS::Queue", "QueueName", Answer::Url, "sqs", ""),
    known("AWS::Lambda::Function", "FunctionName", Answer::Name, "lambda", "function:"),
    known("AWS::Serverless::Function", "FunctionName", Answer::Name, "lambda", "function:"),
    known("AWS::DynamoDB::Table", "TableName", Answer::Name, "dynamodb", "table/"),
    known("AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName", Answer::Name, "firehose", "deliverystream/"),
    known("AWS::IAM::Role", "RoleName", Answer::Name, "iam", "role/"),
];

/// What is known of a kind of resource.
pub(super) fn of(resource_type: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.resource_type == resource_type)
}
