//! `notify:` of the plant file: targets, each with one channel and what that channel needs.

use super::{
    diagnostic::Report,
    fields::{Fields, suggest},
    keys,
    sources::Variables,
    tree::{self, Entry, Node},
};
use crate::{
    definition::{Secret, Source, SourceProtocol},
    expression::nearest,
    notice::{Mail, MailSecurity, MailServer, NotifyChannel, NotifyTarget, form::PLACEHOLDERS},
};
use std::sync::Arc;

/// Where PagerDuty listens.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";
const SMTPS_PORT: u16 = 465;
const SUBMISSION_PORT: u16 = 587;
/// Recipients of one target; a list of more belongs into the mail server.
const MAX_RECIPIENTS: usize = 50;

/// Longest name of a file or a program.
const MAX_FILE_NAME: usize = 100;
/// Arguments of a program.
const MAX_ARGUMENTS: usize = 32;

/// Keys that only mean something beside some channels.
const BELONGS: [(&str, &[&str]); 8] = [
    ("secret", &["webhook"]),
    ("server", &["email"]),
    ("user", &["email"]),
    ("password", &["email"]),
    ("from", &["email"]),
    ("security", &["email"]),
    ("url", &["pagerduty"]),
    ("topic", &["mqtt"]),
];

struct Reader<'r, 'n> {
    report: &'r Report<'r>,
    variables: &'r Variables<'r>,
    sources: &'r [(Arc<str>, Option<Source>)],
    fields: Fields<'n, 'r>,
    what: String,
}

/// The notification targets.
pub(super) fn targets(
    report: &Report<'_>,
    variables: &Variables<'_>,
    entries: &[&Entry],
    sources: &[(Arc<str>, Option<Source>)],
) -> Vec<NotifyTarget> {
    entries.iter().filter_map(|entry| target(report, variables, entry, sources)).collect()
}

fn target(
    report: &Report<'_>,
    variables: &Variables<'_>,
    entry: &Entry,
    sources: &[(Arc<str>, Option<Source>)],
) -> Option<NotifyTarget> {
    let name: Arc<str> = entry.key.as_str().into();
    if entry.value.text() == Some("log") {
        return Some(NotifyTarget {
            name,
            channel: NotifyChannel::Log,
            template: "".into(),
            link: "".into(),
            updates: false,
            group: false,
        });
    }
    let what = format!("the target {}", entry.key);
    let fields = Fields::of(report, &what, entry.at, &entry.value, keys::TARGET)?;
    let reader = Reader { report, variables, sources, fields, what };
    let channel = reader.channel(entry)?;
    let for_programs = !matches!(
        channel,
        NotifyChannel::Email(_) | NotifyChannel::Teams { .. } | NotifyChannel::Slack { .. } | NotifyChannel::Webhook { .. }
    );
    Some(NotifyTarget {
        name,
        template: reader.template("template"),
        link: reader.link(),
        updates: fields.flag("updates").unwrap_or(matches!(channel, NotifyChannel::PagerDuty { .. })),
        group: fields.flag("group").unwrap_or(!for_programs) && !matches!(channel, NotifyChannel::PagerDuty { .. }),
        channel,
    })
}

impl Reader<'_, '_> {
    fn channel(&self, entry: &Entry) -> Option<NotifyChannel> {
        let given: Vec<&str> = keys::CHANNELS.iter().copied().filter(|kind| self.fields.entry(kind).is_some()).collect();
        let [kind] = given[..] else {
            let hint = match given.is_empty() {
                true => suggest("", keys::CHANNELS.iter().copied(), "possible"),
                false => "make one target per channel".to_owned(),
            };
            self.report.error(entry.at, "form", format!("{} needs exactly one channel", self.what), hint);
            return None;
        };
        for (key, kinds) in BELONGS {
            if let Some(entry) = self.fields.entry(key).filter(|_| !kinds.contains(&kind)) {
                let message = format!("`{key}` means nothing for {kind}");
                self.report.error(entry.at, "form", message, format!("it belongs to {}", kinds.join(" and ")));
            }
        }
        Some(match kind {
            "log" => NotifyChannel::Log,
            "webhook" => NotifyChannel::Webhook { url: self.url("webhook")?, secret: self.secret("secret") },
            "teams" => NotifyChannel::Teams { url: self.url("teams")? },
            "slack" => NotifyChannel::Slack { url: self.url("slack")? },
            "pagerduty" => {
                let url = if self.fields.entry("url").is_some() { self.url("url")?.0 } else { PAGERDUTY.into() };
                NotifyChannel::PagerDuty { key: self.secret("pagerduty")?, url }
            }
            "mqtt" => self.mqtt()?,
            "file" => NotifyChannel::File { name: self.file_name("file", self.fields.text("file")?)? },
            "program" => self.program()?,
            _ => NotifyChannel::Email(self.mail()?),
        })
    }

    fn expanded(&self, key: &str) -> Option<(String, &Node)> {
        let (text, node) = self.fields.text(key)?;
        Some((self.variables.expand(self.report, text, node)?, node))
    }

    fn secret(&self, key: &str) -> Option<Secret> {
        self.expanded(key).map(|(text, _)| Secret(text.into()))
    }

    fn url(&self, key: &str) -> Option<Secret> {
        let (text, node) = self.expanded(key)?;
        if !text.starts_with("https://") && !text.starts_with("http://") {
            let message = format!("the {key} of {} is not a URL", self.what);
            self.report.error(node.at, "form", message, "it starts with https://");
        }
        Some(Secret(text.into()))
    }

    fn link(&self) -> Arc<str> {
        let Some((text, node)) = self.expanded("link") else { return "".into() };
        if !text.starts_with("https://") && !text.starts_with("http://") {
            let message = format!("the link of {} is not an address", self.what);
            self.report.error(node.at, "form", message, "write `link: https://andon.example`");
        }
        text.into()
    }

    /// The name of a file in a folder that is given elsewhere: a plant file does not choose where it writes and what it runs.
    fn file_name(&self, key: &str, (name, node): (&str, &Node)) -> Option<Arc<str>> {
        let plain = name.chars().all(|c| c.is_alphanumeric() || "._- ".contains(c));
        if !plain || name.starts_with(['.', '-', ' ']) || name.is_empty() || name.len() > MAX_FILE_NAME {
            let message = format!("the {key} of {} is not the name of a file", self.what);
            let folder = match key {
                "file" => "it lies in the folder `notifications` of the data folder: write `file: alarms.jsonl`",
                _ => "it lies in the folder that `andon run --allow-programs` names: write `program: [horn, loud]`",
            };
            self.report.error(node.at, "form", message, folder);
            return None;
        }
        Some(name.into())
    }

    fn program(&self) -> Option<NotifyChannel> {
        let parts = self.fields.texts("program");
        if let Some((_, node)) = parts.get(MAX_ARGUMENTS) {
            let message = format!("these are more than {MAX_ARGUMENTS} arguments");
            self.report.error(node.at, "too-large", message, "the message comes on the program's standard input");
        }
        let (first, arguments) = parts.split_first()?;
        let name = self.file_name("program", *first)?;
        let arguments = arguments.iter().map(|(text, _)| Arc::from(*text));
        Some(NotifyChannel::Program { command: std::iter::once(name).chain(arguments).collect() })
    }

    fn mqtt(&self) -> Option<NotifyChannel> {
        let (name, node) = self.fields.text("mqtt")?;
        self.fields.missing(&self.what, "topic", "andon/alarms/{asset}");
        let Some((source, known)) = self.sources.iter().find(|(source, _)| **source == *name) else {
            let hint = suggest(name, self.sources.iter().map(|(source, _)| &**source), "sources");
            self.report.error(node.at, "unknown-name", format!("there is no source `{name}`"), hint);
            return None;
        };
        if known.as_ref().is_some_and(|source| !matches!(source.protocol, SourceProtocol::Mqtt { .. })) {
            self.report.error(node.at, "form", format!("the source {name} does not speak MQTT"), "name one that does");
        }
        let topic = self.template("topic");
        if topic.contains(['+', '#']) {
            self.report.error(node.at, "form", format!("the topic of {} has a wildcard", self.what), "publish to one topic");
        }
        Some(NotifyChannel::Mqtt { source: source.clone(), topic })
    }

    fn mail(&self) -> Option<Mail> {
        let mut to = Vec::new();
        let texts = self.fields.texts("email");
        if let Some((_, node)) = texts.get(MAX_RECIPIENTS) {
            let message = format!("these are more than {MAX_RECIPIENTS} addresses");
            self.report.error(node.at, "too-large", message, "make a list at the mail server");
        }
        for (text, node) in texts {
            let Some(address) = self.variables.expand(self.report, text, node) else { continue };
            let parts = address.split_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty());
            if parts.is_none() || address.contains(char::is_whitespace) {
                let message = format!("the email of {} is not an address", self.what);
                self.report.error(node.at, "form", message, "write name@example.com");
            }
            to.push(address.into());
        }
        let from = self.expanded("from").map(|(text, _)| text).unwrap_or_default();
        if let (None, Some(entry)) = (self.fields.entry("server"), self.fields.entry("email")) {
            let hint = "add `server: smtps://mail.example.com`, and `user` and `password` if it asks for them";
            self.report.warning(entry.at, "email-without-server", format!("{} has no mail server", self.what), hint);
        }
        Some(Mail { to, from: from.into(), server: self.server() })
    }

    fn server(&self) -> Option<MailServer> {
        let (text, node) = self.expanded("server")?;
        let wrong = |message: String| {
            self.report.error(node.at, "form", message, "write smtps://mail.example.com:465 or smtp://mail.example.com:587");
        };
        let (implicit, rest) = match text.split_once("://") {
            Some(("smtps", rest)) => (true, rest),
            Some(("smtp", rest)) => (false, rest),
            _ => {
                wrong(format!("`{text}` is not a mail server"));
                return None;
            }
        };
        let open = self.fields.choice("security") == Some("none");
        if implicit && open {
            wrong("`smtps` is encrypted, and `security` says none".into());
        }
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            Some((host, port)) => (host, port.parse().ok()),
            None => (rest, Some(if implicit { SMTPS_PORT } else { SUBMISSION_PORT })),
        };
        let Some(port) = port.filter(|_| !host.is_empty()) else {
            wrong(format!("`{text}` has no host or no port"));
            return None;
        };
        let security = match (implicit, open) {
            (true, _) => MailSecurity::Tls,
            (false, false) => MailSecurity::StartTls,
            (false, true) => MailSecurity::None,
        };
        if let Some(entry) = self.fields.entry("password").filter(|_| security == MailSecurity::None) {
            let hint = "remove `security: none`, or the password";
            self.report.warning(entry.at, "password-in-clear", "the password goes over the network in clear", hint);
        }
        let (user, password) = (self.secret("user"), self.secret("password"));
        Some(MailServer { host: host.into(), port, security, user, password })
    }

    /// A text whose `{name}`s must be known.
    fn template(&self, key: &str) -> Arc<str> {
        let Some((text, node)) = self.fields.text(key) else { return "".into() };
        let mut start = 0;
        while let Some(open) = text[start..].find('{').map(|found| start + found) {
            start = open + 1;
            let Some(length) = text[start..].find('}') else { break };
            let name = &text[start..start + length];
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if is_name && !PLACEHOLDERS.contains(&name) {
                let hint = match nearest(name, PLACEHOLDERS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        format!("known here: {}; properties stand in the `message` of the detector", PLACEHOLDERS.join(", "))
                    }
                };
                let at = tree::inside(self.report, node, start, start + length);
                self.report.error(at, "unknown-name", format!("the {key} speaks of `{name}`"), hint);
            }
        }
        text.into()
    }
}
