//! E-mail over SMTP, encrypted unless the plant file says otherwise. The conversation with the server blocks, so it has a thread of its own.

use super::carrier::TIMEOUT;
use andon_models::{
    definition::NotifyTarget,
    notice::{Mail, MailSecurity, MailServer, Notice, form, outbox::Attempt},
};
use anyhow::Context;
use lettre::{
    Message, SmtpTransport, Transport,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};

const NO_SERVER: &str = "no mail server is named: add `server: smtps://mail.example.com` to the target";

/// Hands a message to the target's mail server.
pub(super) async fn send(mail: &Mail, target: &NotifyTarget, notices: &[Notice]) -> Attempt {
    let Some(server) = &mail.server else { return Attempt::Refused(NO_SERVER.into()) };
    let prepared = message(mail, server, target, notices).and_then(|message| Ok((message, transport(server)?)));
    let (message, transport) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Attempt::Refused(format!("{error:#}")),
    };
    match tokio::task::spawn_blocking(move || transport.send(&message)).await {
        Ok(Ok(_)) => Attempt::Taken,
        Err(error) => Attempt::Later { reason: format!("sending it failed: {error}"), after: None },
        Ok(Err(error)) => {
            let permanent = error.is_permanent() || error.is_client();
            let reason = format!("{:#}", anyhow::Error::from(error));
            if permanent { Attempt::Refused(reason) } else { Attempt::Later { reason, after: None } }
        }
    }
}

fn message(mail: &Mail, server: &MailServer, target: &NotifyTarget, notices: &[Notice]) -> anyhow::Result<Message> {
    let from = if mail.from.is_empty() { format!("andon@{}", server.host) } else { mail.from.to_string() };
    let from: Mailbox = from.parse().with_context(|| format!("{from} is no sender; set `from` of the target"))?;
    let id = notices.first().map(|notice| format!("<{}@andon>", notice.event));
    let mut message = Message::builder().from(from).message_id(id).subject(form::subject(target, notices));
    for address in &mail.to {
        message = message.to(address.parse().with_context(|| format!("{address} is no address"))?);
    }
    Ok(message.header(ContentType::TEXT_PLAIN).body(form::plain(target, notices))?)
}

fn transport(server: &MailServer) -> anyhow::Result<SmtpTransport> {
    let parameters = || TlsParameters::new(server.host.to_string()).context("cannot prepare TLS for the mail server");
    let tls = match server.security {
        MailSecurity::Tls => Tls::Wrapper(parameters()?),
        MailSecurity::StartTls => Tls::Required(parameters()?),
        MailSecurity::None => Tls::None,
    };
    let mut builder = SmtpTransport::builder_dangerous(&*server.host).port(server.port).timeout(Some(TIMEOUT)).tls(tls);
    if let Some(user) = &server.user {
        let password = server.password.as_ref().map_or_else(String::new, |password| password.0.to_string());
        builder = builder.credentials(Credentials::new(user.0.to_string(), password));
    }
    Ok(builder.build())
}
