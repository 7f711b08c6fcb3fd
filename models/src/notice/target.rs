//! Where notifications go.

use crate::definition::Secret;
use std::sync::Arc;

/// Where a notification goes.
#[derive(Clone, Debug, PartialEq)]
pub struct NotifyTarget {
    /// Its name.
    pub name: Arc<str>,
    /// How it gets there.
    pub channel: NotifyChannel,
    /// The text, with `{message}` and others filled in; empty for the message alone.
    pub template: Arc<str>,
    /// Address of Andon's pages, for links in messages; empty for none.
    pub link: Arc<str>,
    /// Whether it is told as well when an alarm it was told of is acknowledged and when it ends.
    pub updates: bool,
    /// Whether many notifications at once become one message.
    pub group: bool,
}

/// How a notification gets to its target.
#[derive(Clone, Debug, PartialEq)]
pub enum NotifyChannel {
    /// Into the log only.
    Log,
    /// HTTP POST of a CloudEvent.
    Webhook {
        /// The URL; often secret.
        url: Secret,
        /// What it is signed with; none leaves it unsigned.
        secret: Option<Secret>,
    },
    /// Microsoft Teams, by a workflow that waits for a webhook request.
    Teams {
        /// The URL of the workflow.
        url: Secret,
    },
    /// Slack, by an incoming webhook.
    Slack {
        /// The URL of the webhook.
        url: Secret,
    },
    /// PagerDuty, by its Events API v2.
    PagerDuty {
        /// The integration key of a service.
        key: Secret,
        /// The address of the API: another one for Europe.
        url: Arc<str>,
    },
    /// E-mail.
    Email(Mail),
    /// MQTT, through a source of the plant.
    Mqtt {
        /// The source's name.
        source: Arc<str>,
        /// The topic, with `{asset}` and others filled in.
        topic: Arc<str>,
    },
    /// A file of JSON lines in the data folder.
    File {
        /// Its name.
        name: Arc<str>,
    },
    /// A program, in the folder whose programs may be run.
    Program {
        /// Its name and its arguments, as they are handed over.
        command: Vec<Arc<str>>,
    },
}

/// An e-mail target.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// Who gets it.
    pub to: Vec<Arc<str>>,
    /// Who sends it; empty for `andon@` and the server's name.
    pub from: Arc<str>,
    /// Which server takes it; without one nothing can be sent.
    pub server: Option<MailServer>,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq)]
pub struct MailServer {
    /// Host name or address.
    pub host: Arc<str>,
    /// Port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: MailSecurity,
    /// User name; none for a server that asks nobody.
    pub user: Option<Secret>,
    /// Password.
    pub password: Option<Secret>,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// From the first byte (`smtps://`, port 465).
    Tls,
    /// After STARTTLS, which the server must offer (`smtp://`, port 587).
    StartTls,
    /// Not at all; only when the plant file says `security: none`.
    None,
}

impl NotifyChannel {
    /// The word of the plant file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Webhook { .. } => "webhook",
            Self::Teams { .. } => "teams",
            Self::Slack { .. } => "slack",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Email(_) => "email",
            Self::Mqtt { .. } => "mqtt",
            Self::File { .. } => "file",
            Self::Program { .. } => "program",
        }
    }
}
