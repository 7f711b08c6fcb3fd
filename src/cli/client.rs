//! How subcommands ask a running Andon: over its HTTP interface, and never without a limit of time.

use andon_query::SqlAnswer;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// How long it may take to get through to a machine.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing may come. A statement runs 30 s at most, a record waits for its disk for a few.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);
/// The same for another definition of the plant, which stops and starts it: on a slow disk that takes minutes.
const CHANGE_PATIENCE: Duration = Duration::from_secs(200);

/// A running Andon.
pub struct Client {
    url: Url,
    http: reqwest::Client,
}

impl Client {
    /// The Andon at an address such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// When that is no address of a web server.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        Self::with_patience(url, ANSWER_PATIENCE)
    }

    /// The same Andon, asked for what takes minutes.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn patient(url: &str) -> anyhow::Result<Self> {
        Self::with_patience(url, CHANGE_PATIENCE)
    }

    fn with_patience(url: &str, patience: Duration) -> anyhow::Result<Self> {
        let parsed = Url::parse(url).with_context(|| format!("{url} is not an address; write http://127.0.0.1:8080"))?;
        if parsed.cannot_be_a_base() {
            bail!("{url} is not an address of a web server");
        }
        let http = reqwest::Client::builder().connect_timeout(CONNECT_PATIENCE).read_timeout(patience).build()?;
        Ok(Self { url: parsed, http })
    }

    /// Asks for what is at a path. The segments are escaped, so a name may have any character.
    ///
    /// # Errors
    /// When nothing answers there, or with the reason of the refusal and the way out.
    pub async fn get(&self, path: &[&str], parameters: &[(&str, &str)]) -> anyhow::Result<Value> {
        let mut address = self.address(path);
        address.query_pairs_mut().extend_pairs(parameters);
        self.answer(self.http.get(address)).await
    }

    /// Asks it to do something. Gives what it answers; null when it answers nothing.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.answer(self.http.post(self.address(path)).json(body)).await
    }

    /// Asks it to take something back.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn delete(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.answer(self.http.delete(self.address(path))).await
    }

    /// Asks a statement.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn sql(&self, sql: &str) -> anyhow::Result<SqlAnswer> {
        self.sql_over(sql, None).await
    }

    /// The same over a span of time: `$from` and `$to` in the statement are its start and its end, in plant time or with an offset.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn sql_over(&self, sql: &str, span: Option<(&str, &str)>) -> anyhow::Result<SqlAnswer> {
        let asked = match span {
            Some((from, to)) => json!({ "sql": sql, "from": from, "to": to }),
            None => json!({ "sql": sql }),
        };
        let answer = self.post(&["api", "sql"], &asked).await?;
        serde_json::from_value(answer).with_context(|| format!("{} did not answer as an Andon does", self.url))
    }

    fn address(&self, path: &[&str]) -> Url {
        let mut address = self.url.clone();
        if let Ok(mut segments) = address.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        address
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let url = self.url.as_str().trim_end_matches('/');
        let response = match request.send().await {
            Err(error) if error.is_timeout() && !error.is_connect() => {
                bail!("{url} does not answer; it may still do what it was asked for: look before you repeat it")
            }
            response => {
                response.with_context(|| format!("nothing answers at {url}; is Andon running there? Choose another --url"))?
            }
        };
        let ok = response.status().is_success();
        let text = response.text().await.with_context(|| format!("{url} broke off its answer"))?;
        let body: Option<Value> = if text.is_empty() { Some(Value::Null) } else { serde_json::from_str(&text).ok() };
        let stranger = || format!("{url} did not answer as an Andon does; choose another --url");
        let body = body.with_context(stranger)?;
        if ok {
            return Ok(body);
        }
        let word = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
        let (message, hint) = (word("message"), word("hint"));
        if message.is_empty() {
            bail!(stranger());
        }
        bail!("{message}{}{hint}", if hint.is_empty() { "" } else { "\n  " })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    /// What a server that answers this was asked for, and what became of it.
    async fn asked(answer: &'static str) -> (String, anyhow::Result<Value>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}/andon/", listener.local_addr().unwrap())).unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4_096];
            let size = stream.read(&mut head).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&head[..size]).lines().next().unwrap().to_owned()
        };
        tokio::join!(serve, client.get(&["api", "Line 2/Filler 2"], &[("view", "active & new")]))
    }

    #[tokio::test]
    async fn names_are_escaped_and_refusals_are_told_in_their_own_words() {
        let (line, body) = asked("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n17").await;
        assert_eq!(line, "GET /andon/api/Line%202%2FFiller%202?view=active+%26+new HTTP/1.1");
        assert_eq!(body.unwrap(), 17);
        assert_eq!(asked("HTTP/1.1 204 X\r\n\r\n").await.1.unwrap(), Value::Null);
        let refused =
            "HTTP/1.1 409 X\r\ncontent-length: 51\r\n\r\n{\"error\":{\"message\":\"not now\",\"hint\":\"wait a day\"}}";
        assert_eq!(asked(refused).await.1.unwrap_err().to_string(), "not now\n  wait a day");
        let stranger = asked("HTTP/1.1 404 X\r\ncontent-length: 5\r\n\r\n<htm>").await.1.unwrap_err();
        assert!(stranger.to_string().contains("as an Andon does"), "{stranger}");
        assert!(Client::new("localhost").is_err() && Client::new("mailto:kim").is_err());
    }

    #[tokio::test]
    async fn who_takes_the_question_and_never_answers_is_not_waited_for_for_ever() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let client = Client::with_patience(&url, Duration::from_millis(200)).unwrap();
        let error = client.get(&["api"], &[]).await.unwrap_err().to_string();
        assert!(error.contains("does not answer") && error.contains(&url), "{error}");
    }
}
