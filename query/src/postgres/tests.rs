//! The protocol after the log-in, message by message. Log-in and clients written by others: `tests/foreign/test_postgres.py`.

use super::{
    connection::{Hello, Shared, run},
    server::Stream,
    wire::{Reader, Writer},
};
use crate::{
    Batch, Historian, HistorianOptions,
    testing::{PLANT, catalog, good, series},
};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::Notify,
    task::JoinHandle,
    time::timeout,
};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Counts for days, and needs no memory.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 1000000000000)";

struct Client {
    stream: DuplexStream,
    server: JoinHandle<()>,
    cancel: Arc<Notify>,
    _folder: tempfile::TempDir,
}

impl Client {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = catalog(PLANT);
        let (historian, _) = Historian::open(HistorianOptions::new(folder.path()), catalog.clone()).await.unwrap();
        let temp = series(&catalog, "Line 1/Press A", "temp");
        let points = (0..120).map(|minute| good(temp, minute * 60, minute as f64)).collect();
        historian.append(Batch { points, ..Batch::default() }).await.unwrap();
        let (stream, theirs) = tokio::io::duplex(1 << 20);
        let theirs: Box<dyn Stream> = Box::new(theirs);
        let (from, to) = tokio::io::split(theirs);
        let hello = Hello { user: "ann".into(), pid: 7, secret: 1, parameters: BTreeMap::new() };
        let cancel = Arc::new(Notify::new());
        let cancelled = cancel.clone();
        let server = tokio::spawn(async move {
            // A client that does not follow the protocol is an error here and no failure of the test.
            let _ = run(&Shared::new(historian), Reader::new(from), Writer::new(to), hello, &cancelled).await;
        });
        let mut client = Self { stream, server, cancel, _folder: folder };
        client.until_ready().await;
        client
    }

    async fn send(&mut self, kind: u8, body: &[u8]) {
        let mut message = BytesMut::new();
        message.put_u8(kind);
        message.put_i32(i32::try_from(body.len() + 4).unwrap());
        message.put_slice(body);
        self.stream.write_all(&message).await.unwrap();
    }

    async fn receive(&mut self) -> (char, Bytes) {
        let mut head = [0; 5];
        timeout(PATIENCE, self.stream.read_exact(&mut head)).await.expect("an answer").unwrap();
        let mut body = vec![0; (&head[1..]).get_u32() as usize - 4];
        self.stream.read_exact(&mut body).await.unwrap();
        (char::from(head[0]), body.into())
    }

    /// The kinds of all messages up to ReadyForQuery, rows as their first field, errors as their code.
    async fn until_ready(&mut self) -> String {
        let mut seen = Vec::new();
        loop {
            let (kind, mut body) = self.receive().await;
            seen.push(match kind {
                'D' => {
                    body.advance(2);
                    let length = body.get_i32().max(0) as usize;
                    format!("D:{}", String::from_utf8_lossy(&body[..length]))
                }
                'E' => {
                    let fields = String::from_utf8_lossy(&body).into_owned();
                    format!("E:{}", fields.split('\0').find_map(|field| field.strip_prefix('C')).unwrap())
                }
                'C' => format!("C:{}", String::from_utf8_lossy(&body).trim_end_matches('\0')),
                'Z' => format!("Z:{}", char::from(body[0])),
                kind => kind.to_string(),
            });
            if kind == 'Z' {
                return seen.join(" ");
            }
        }
    }

    async fn query(&mut self, sql: &str) -> String {
        self.send(b'Q', format!("{sql}\0").as_bytes()).await;
        self.until_ready().await
    }

    async fn parse(&mut self, name: &str, sql: &str) {
        self.send(b'P', format!("{name}\0{sql}\0\0\0").as_bytes()).await;
    }

    async fn bind(&mut self, portal: &str, statement: &str, parameters: &[&str]) {
        let mut body = BytesMut::from(format!("{portal}\0{statement}\0\0\0").as_bytes());
        body.put_u16(parameters.len() as u16);
        for parameter in parameters {
            body.put_i32(parameter.len() as i32);
            body.put_slice(parameter.as_bytes());
        }
        body.put_u16(0);
        self.send(b'B', &body).await;
    }

    async fn execute(&mut self, portal: &str, rows: i32) {
        let mut body = BytesMut::from(format!("{portal}\0").as_bytes());
        body.put_i32(rows);
        self.send(b'E', &body).await;
    }

    async fn sync(&mut self) -> String {
        self.send(b'S', b"").await;
        self.until_ready().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_answered_or_refused() {
    let mut client = Client::new().await;
    for (sql, expected) in [
        ("SELECT count(*) FROM samples", "T D:120 C:SELECT 1 Z:I"),
        ("SELECT 1; SELECT 2", "T D:1 C:SELECT 1 T D:2 C:SELECT 1 Z:I"),
        (" ; ", "I Z:I"),
        ("SELEC 1", "E:42601 Z:I"),
        ("SELECT * FROM nothing_like_it", "E:42P01 Z:I"),
        ("SELECT nothing_like_it FROM samples", "E:42703 Z:I"),
        ("DROP TABLE samples", "E:25006 Z:I"),
        ("COPY (SELECT 1) TO '/tmp/andon-must-not-exist'", "E:25006 Z:I"),
        ("EXPLAIN ANALYZE SELECT 1", "E:25006 Z:I"),
        ("WITH a AS (SELECT 1) INSERT INTO samples SELECT * FROM a", "E:25006 Z:I"),
        ("BEGIN; SELECT 1", "C:BEGIN T D:1 C:SELECT 1 Z:T"),
        ("SELECT 1/0", "T E:22012 Z:E"),
        ("SELECT 1", "E:25P02 Z:E"),
        ("ROLLBACK", "C:ROLLBACK Z:I"),
        ("SET application_name = 'x'", "S C:SET Z:I"),
        ("SHOW application_name", "T D:x C:SHOW Z:I"),
        ("BEGIN; DECLARE c CURSOR FOR SELECT value FROM generate_series(1, 5)", "C:BEGIN C:DECLARE CURSOR Z:T"),
        ("FETCH 2 FROM c", "T D:1 D:2 C:FETCH 2 Z:T"),
        ("FETCH ALL FROM c", "T D:3 D:4 D:5 C:FETCH 3 Z:T"),
        ("CLOSE c; COMMIT", "C:CLOSE CURSOR C:COMMIT Z:I"),
        ("SELECT relname FROM pg_class WHERE relname = 'samples'", "T D:samples C:SELECT 1 Z:I"),
        (
            "SELECT data_type FROM information_schema.columns WHERE table_name = 'samples' AND column_name = 'time'",
            "T D:timestamp with time zone C:SELECT 1 Z:I",
        ),
        ("BEGIN; SET LOCAL application_name = 'y'; SHOW application_name", "C:BEGIN S C:SET T D:y C:SHOW Z:T"),
        ("COMMIT; SHOW application_name", "S C:COMMIT T D:x C:SHOW Z:I"),
        ("BEGIN; SET application_name = 'z'; ROLLBACK; SHOW application_name", "C:BEGIN S C:SET S C:ROLLBACK T D:x C:SHOW Z:I"),
        ("/* c */ SET application_name = 'w'; RESET ALL; SHOW application_name", "S C:SET S C:RESET T D: C:SHOW Z:I"),
        ("SELECT (SELECT count(*) FROM pg_index)", "T D:0 C:SELECT 1 Z:I"),
        ("SELECT count(*) FROM samples WHERE asset = ANY(ARRAY['Line 1/Press A'])", "T D:120 C:SELECT 1 Z:I"),
        ("SELECT * FROM stored_events_of_nobody", "E:42P01 Z:I"),
    ] {
        assert_eq!(client.query(sql).await, expected, "{sql}");
    }
    assert!(!std::path::Path::new("/tmp/andon-must-not-exist").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn portals_give_as_many_rows_as_are_wanted_and_an_error_skips_to_the_sync() {
    let mut client = Client::new().await;
    client.parse("s", "SELECT value FROM generate_series(1, 5) WHERE value > $1").await;
    client.bind("p", "s", &["1"]).await;
    client.execute("p", 2).await;
    client.execute("p", 1).await;
    client.execute("p", 0).await;
    assert_eq!(client.sync().await, "1 2 D:2 D:3 s D:4 s D:5 C:SELECT 1 Z:I");
    client.bind("", "s", &["4"]).await;
    client.execute("", -1).await;
    client.execute("", i32::MAX).await;
    assert_eq!(client.sync().await, "2 D:5 C:SELECT 1 C:SELECT 0 Z:I");
    client.bind("", "s", &["no number"]).await;
    client.execute("", 0).await;
    client.parse("t", "SELECT 1").await;
    assert_eq!(client.sync().await, "E:22P02 Z:I");
    client.bind("", "s", &[]).await;
    assert_eq!(client.sync().await, "E:08P01 Z:I");
    client.bind("", "nothing", &[]).await;
    assert_eq!(client.sync().await, "E:26000 Z:I");
    client.parse("", "DELETE FROM samples").await;
    assert_eq!(client.sync().await, "E:25006 Z:I");
    assert_eq!(client.query("SELECT 1").await, "T D:1 C:SELECT 1 Z:I");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_prepared_answers_as_things_are_when_it_runs() {
    let mut client = Client::new().await;
    client.parse("s", "SHOW application_name").await;
    client.sync().await;
    client.query("SET application_name = 'late'").await;
    client.bind("", "s", &[]).await;
    client.execute("", 0).await;
    assert_eq!(client.sync().await, "2 D:late C:SHOW Z:I");
    client.parse("a", "SELECT count(*) FROM samples WHERE asset = ANY($1)").await;
    client.bind("", "a", &["{\"no, such\",\"Line 1/Press A\"}"]).await;
    client.execute("", 0).await;
    assert_eq!(client.sync().await, "1 2 D:120 C:SELECT 1 Z:I");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_end_in_time_when_cancelled_and_when_nobody_waits() {
    let mut client = Client::new().await;
    client.query("SET statement_timeout = 200").await;
    assert_eq!(client.query(ENDLESS).await, "T E:57014 Z:I");
    client.query("SET statement_timeout = 0").await;
    client.send(b'Q', format!("{ENDLESS}\0").as_bytes()).await;
    let cancel = client.cancel.clone();
    let canceller = tokio::spawn(async move {
        // It counts only while the statement runs; when that is, nobody else knows.
        loop {
            cancel.notify_waiters();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(client.until_ready().await.ends_with("E:57014 Z:I"));
    canceller.abort();
    client.send(b'Q', format!("{ENDLESS}\0").as_bytes()).await;
    drop(client.stream);
    timeout(PATIENCE, client.server).await.expect("the connection ends with its client").unwrap();
}
