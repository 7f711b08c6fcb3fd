//! One client: its session, what it prepared, and its messages one after the other.

use super::{
    catalog::{self, CatalogSchema, DATABASE, SCHEMA, World},
    failure::{Failure, code},
    outgoing::{Out, Status},
    parameters::{self, Parameter},
    portal::{Portal, Sent, flush},
    rewrite::said_types,
    server::Stream,
    settings::{REPORTED, Settings},
    statement::{self, Command},
    types::{Column, Type, arrow_type, pg_type},
    wire::{Bind, Incoming, Reader, Writer},
};
use crate::{Historian, QueryError, SqlLimits};
use datafusion::{
    catalog::{CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, SchemaProvider},
    common::ScalarValue,
    execution::{SessionStateBuilder, context::SessionContext},
    logical_expr::LogicalPlan,
    sql::parser::Statement,
};
use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{ReadHalf, WriteHalf},
    sync::{Notify, mpsc},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How long a client may stay quiet: a working day, so that pools keep what they have.
const IDLE: Duration = Duration::from_secs(8 * 3_600);
/// Messages read ahead of the one that is answered: a whole chain of the extended protocol.
const READ_AHEAD: usize = 16;
/// Statements a client may have prepared.
const MAX_PREPARED: usize = 500;
/// Statements it may have under way.
const MAX_PORTALS: usize = 32;
/// How long a statement may be planned.
const PLANNING: Duration = Duration::from_secs(30);

/// What all connections have in common.
pub struct Shared {
    historian: Historian,
}

impl Shared {
    /// Of a historian.
    pub fn new(historian: Historian) -> Self {
        Self { historian }
    }
}

/// Who came in.
pub struct Hello {
    pub user: String,
    pub pid: i32,
    pub secret: i32,
    pub parameters: BTreeMap<String, String>,
}

type ClientWriter = Writer<WriteHalf<Box<dyn Stream>>>;

/// A statement that was read.
struct Prepared {
    command: Command,
    plan: Option<LogicalPlan>,
    parameters: Vec<Parameter>,
    columns: Arc<[Column]>,
}

enum Bound {
    Rows(Box<Portal>),
    Other(Command),
}

struct Connection {
    session: SessionContext,
    world: Arc<World>,
    to: ClientWriter,
    prepared: HashMap<String, Arc<Prepared>>,
    portals: HashMap<String, Bound>,
    status: Status,
}

/// Answers a client until it leaves.
///
/// # Errors
/// When the connection breaks, or the client does not follow the protocol.
pub async fn run(
    shared: &Shared,
    mut from: Reader<ReadHalf<Box<dyn Stream>>>,
    to: ClientWriter,
    hello: Hello,
    cancel: &Notify,
) -> io::Result<()> {
    let mut connection = Connection::new(shared, &hello, to).map_err(io::Error::other)?;
    connection.welcome(&hello);
    connection.to.flush().await?;
    from.let_in();
    // Reading goes on while a statement runs: that is how a client that left is noticed.
    let gone = CancellationToken::new();
    let (messages, mut queue) = mpsc::channel(READ_AHEAD);
    let (mut reader, left) = (JoinSet::new(), gone.clone());
    reader.spawn(async move {
        let _left = left.drop_guard();
        loop {
            let message = from.next().await;
            let last = !matches!(&message, Ok(Some(incoming)) if !matches!(incoming, Incoming::Terminate));
            if messages.send(message).await.is_err() || last {
                return;
            }
        }
    });
    let mut until_sync = false;
    loop {
        let message = match timeout(IDLE, queue.recv()).await {
            Ok(Some(Ok(Some(Incoming::Terminate)) | Ok(None)) | None) => return Ok(()),
            Ok(Some(Ok(Some(message)))) => message,
            Ok(Some(Err(error))) => {
                connection.to.push(Failure::new(code::PROTOCOL, error.to_string()).message(true));
                let _ = flush(&mut connection.to).await;
                return Err(error);
            }
            Err(_) => {
                connection.to.push(Failure::new("57P05", "the connection was quiet for too long").message(true));
                let _ = flush(&mut connection.to).await;
                return Ok(());
            }
        };
        if until_sync && !matches!(message, Incoming::Sync) {
            continue;
        }
        until_sync = false;
        let simple = matches!(message, Incoming::Query(_));
        // A client that left or said good-bye waits for nothing: its statement ends.
        let answered = tokio::select! {
            biased;
            answered = connection.answer(message) => answered,
            () = cancel.notified() => Err(Failure::new(code::CANCELED, "canceling statement due to user request")),
            () = gone.cancelled() => return Ok(()),
        };
        if let Err(failure) = answered {
            connection.failed(failure);
            until_sync = !simple;
            if simple {
                connection.ready();
            }
        }
        if until_sync || simple || queue.is_empty() {
            timeout(super::portal::UNREAD, connection.to.flush()).await.map_err(|_| io::ErrorKind::TimedOut)??;
        }
    }
}

impl Connection {
    fn new(shared: &Shared, hello: &Hello, to: ClientWriter) -> Result<Self, QueryError> {
        let base = shared.historian.session().state();
        let plant = base.schema_for_ref(datafusion::common::TableReference::bare("samples"))?;
        let named = |names: Vec<String>, kind: &'static str| names.into_iter().map(move |name| (name, kind));
        let mut functions: Vec<(String, &'static str)> = named(base.scalar_functions().keys().cloned().collect(), "f")
            .chain(named(base.aggregate_functions().keys().cloned().collect(), "a"))
            .chain(named(base.window_functions().keys().cloned().collect(), "w"))
            .collect();
        functions.sort();
        let mut settings = Settings::default();
        for (name, value) in
            hello.parameters.iter().filter(|(name, _)| !["user", "database", "options", "replication"].contains(&name.as_str()))
        {
            // What cannot be set when connecting stays as it is.
            let _ = settings.set(name, Some(value), false);
        }
        for (name, value) in hello.parameters.get("options").into_iter().flat_map(|options| options_of(options)) {
            let _ = settings.set(&name, Some(&value), false);
        }
        settings.connected();
        let world = Arc::new(World {
            plant: plant.clone(),
            descriptions: shared.historian.tables(),
            settings: Mutex::new(settings),
            functions,
            user: hello.user.clone(),
            pid: hello.pid,
        });
        let database = MemoryCatalogProvider::new();
        let schemas: [(&str, Arc<dyn SchemaProvider>); 3] = [
            (SCHEMA, plant),
            ("pg_catalog", Arc::new(CatalogSchema::system(world.clone()))),
            ("information_schema", Arc::new(CatalogSchema::information(world.clone()))),
        ];
        for (name, schema) in schemas {
            database.register_schema(name, schema)?;
        }
        let list = MemoryCatalogProviderList::new();
        list.register_catalog(DATABASE.into(), Arc::new(database));
        let config = base.config().clone().with_information_schema(false).with_create_default_catalog_and_schema(false);
        let state = SessionStateBuilder::new_from_existing(base).with_config(config).with_catalog_list(Arc::new(list)).build();
        let session = SessionContext::new_with_state(state);
        catalog::functions::all(&world).into_iter().for_each(|function| session.register_udf(function));
        Ok(Self { session, world, to, prepared: HashMap::new(), portals: HashMap::new(), status: Status::Idle })
    }

    fn welcome(&mut self, hello: &Hello) {
        for name in REPORTED {
            self.report(name);
        }
        self.to.push(Out::Key { pid: hello.pid, secret: hello.secret });
        self.ready()
    }

    fn report(&mut self, name: &'static str) {
        let value = self.world.settings(|settings| settings.get(name).unwrap_or_default().to_owned());
        self.to.push(Out::Parameter(name, value))
    }

    /// Changes settings, and reports those that clients are told.
    fn change_settings<T>(&mut self, change: impl FnOnce(&mut Settings) -> T) -> T {
        let values = |settings: &Settings| REPORTED.map(|name| settings.get(name).map(str::to_owned));
        let (changed, before, after) = self.world.settings(|settings| {
            let before = values(settings);
            (change(settings), before, values(settings))
        });
        for (name, _) in REPORTED.into_iter().zip(before.iter().zip(&after)).filter(|(_, (before, after))| before != after) {
            self.report(name);
        }
        changed
    }

    fn limits(&self) -> SqlLimits {
        SqlLimits { time: self.world.settings(|settings| settings.statement_time()), ..SqlLimits::default() }
    }

    /// Adds a message; it is sent with the others.
    fn say(&mut self, message: Out) -> Result<(), Failure> {
        self.to.push(message);
        Ok(())
    }

    fn ready(&mut self) {
        self.to.push(Out::Ready(self.status))
    }

    fn failed(&mut self, failure: Failure) {
        self.portals.clear();
        if self.status != Status::Idle {
            self.status = Status::Failed;
        }
        self.to.push(failure.message(false))
    }

    async fn answer(&mut self, message: Incoming) -> Result<(), Failure> {
        match message {
            Incoming::Query(text) => {
                self.query(&text).await?;
                self.ready();
            }
            Incoming::Parse { name, sql, types } => self.parse(name, &sql, &types).await?,
            Incoming::Bind(bind) => self.bind(bind)?,
            Incoming::Describe { portal, name } => self.describe(portal, &name)?,
            Incoming::Execute { portal, rows } => self.execute(&portal, rows).await?,
            Incoming::Close { portal, name } => {
                if portal {
                    self.portals.remove(&name);
                } else {
                    self.prepared.remove(&name);
                }
                self.to.push(Out::Closed);
            }
            Incoming::Flush => flush(&mut self.to).await?,
            Incoming::Sync => {
                if self.status == Status::Idle {
                    self.portals.clear();
                }
                self.ready();
                flush(&mut self.to).await?;
            }
            Incoming::Password(_) => return Err(Failure::new(code::PROTOCOL, "a password was not asked for")),
            Incoming::Copy | Incoming::Terminate => {}
        }
        Ok(())
    }

    /// All statements of a text, one after the other; the first that fails ends it.
    async fn query(&mut self, text: &str) -> Result<(), Failure> {
        let parts: Vec<&str> = statement::split(text)?.into_iter().filter(|part| !part.trim().is_empty()).collect();
        if parts.is_empty() {
            return self.say(Out::Empty);
        }
        for part in parts {
            match statement::read(part)? {
                Command::Query(query) => {
                    let (plan, columns) = self.plan(*query).await?;
                    if !plan.get_parameter_types()?.is_empty() {
                        return Err(Failure::new("42P02", "there is no parameter $1 in a statement without parameters"));
                    }
                    self.allowed()?;
                    self.to.push(Out::Columns(columns.clone(), Vec::new()));
                    let mut portal = Portal::new(plan, columns, Vec::new());
                    self.send(&mut portal, 0).await?;
                }
                Command::Show(name) => {
                    self.allowed()?;
                    let plan = self.show(&name).await?;
                    self.to.push(Out::Columns(plan.1.clone(), Vec::new()));
                    let mut portal = Portal::new(plan.0, plan.1, Vec::new());
                    portal.tag = "SHOW";
                    self.send(&mut portal, 0).await?;
                }
                Command::Fetch { cursor, rows } => {
                    self.allowed()?;
                    self.fetch(&cursor, rows, true).await?;
                }
                other => self.obey(other).await?,
            }
        }
        Ok(())
    }

    /// In a transaction that failed, only its end is obeyed.
    fn allowed(&self) -> Result<(), Failure> {
        if self.status == Status::Failed {
            let message = "current transaction is aborted, commands ignored until end of transaction block";
            return Err(Failure::new("25P02", message));
        }
        Ok(())
    }

    /// The plan of a statement and its columns. Planned in a task of its own, with a limit: it cannot be interrupted.
    async fn plan(
        &mut self,
        query: datafusion::sql::sqlparser::ast::Statement,
    ) -> Result<(LogicalPlan, Arc<[Column]>), Failure> {
        let session = self.session.clone();
        let mut task = JoinSet::new();
        task.spawn(async move { session.state().statement_to_plan(Statement::Statement(Box::new(query))).await });
        let plan = match timeout(PLANNING, task.join_next()).await {
            Ok(Some(Ok(plan))) => plan?,
            Ok(_) => return Err(QueryError::Internal("planning broke off".into()).into()),
            Err(_) => return Err(QueryError::TimedOut(PLANNING).into()),
        };
        crate::sql::only_reads(&plan)?;
        let columns = columns_of(&plan);
        Ok((plan, columns))
    }

    async fn show(&mut self, name: &str) -> Result<(LogicalPlan, Arc<[Column]>), Failure> {
        let quoted = name.replace('\'', "''");
        let text = if name == "all" {
            "SELECT name, setting, short_desc AS description FROM pg_catalog.pg_settings ORDER BY 1".to_owned()
        } else {
            self.world
                .settings(|settings| settings.get(name).map(|_| ()))
                .ok_or_else(|| Failure::new("42704", format!("unrecognized configuration parameter \"{name}\"")))?;
            format!("SELECT setting AS \"{}\" FROM pg_catalog.pg_settings WHERE name = '{quoted}'", name.replace('"', ""))
        };
        match statement::read(&text)? {
            Command::Query(query) => self.plan(*query).await,
            _ => Err(QueryError::Internal("SHOW is a query".into()).into()),
        }
    }

    async fn send(&mut self, portal: &mut Portal, rows: usize) -> Result<(), Failure> {
        let limits = self.limits();
        match portal.send(&self.session, limits, rows, &mut self.to).await? {
            Sent::All(count) => self.complete(portal.tag, Some(count)),
            Sent::Some(_) => self.say(Out::Suspended),
        }
    }

    async fn fetch(&mut self, cursor: &str, rows: usize, described: bool) -> Result<(), Failure> {
        let Some(Bound::Rows(mut portal)) = self.portals.remove(cursor) else {
            return Err(Failure::new("34000", format!("cursor \"{cursor}\" does not exist")));
        };
        if described {
            self.to.push(Out::Columns(portal.columns.clone(), portal.formats.clone()));
        }
        let limits = self.limits();
        let (Sent::All(count) | Sent::Some(count)) = portal.send(&self.session, limits, rows, &mut self.to).await?;
        self.portals.insert(cursor.to_owned(), Bound::Rows(portal));
        self.complete("FETCH", Some(count))
    }

    fn complete(&mut self, tag: &str, rows: Option<u64>) -> Result<(), Failure> {
        // EXPLAIN, SHOW and the like count nothing.
        let tag = rows.filter(|_| tag != "SHOW").map_or_else(|| tag.to_owned(), |rows| format!("{tag} {rows}"));
        self.say(Out::Complete(tag))
    }

    /// What is no query.
    async fn obey(&mut self, command: Command) -> Result<(), Failure> {
        let ends = matches!(command, Command::Commit | Command::Rollback | Command::RollbackTo);
        if !ends {
            self.allowed()?;
        }
        let tag = match command {
            Command::Begin => {
                self.status = Status::Transaction;
                self.world.settings(Settings::begin);
                "BEGIN"
            }
            Command::Commit | Command::Rollback => {
                let failed = self.status == Status::Failed || matches!(command, Command::Rollback);
                self.status = Status::Idle;
                self.portals.clear();
                self.change_settings(|settings| settings.end(!failed));
                if failed { "ROLLBACK" } else { "COMMIT" }
            }
            Command::RollbackTo => {
                self.status = Status::Transaction;
                "ROLLBACK"
            }
            Command::Savepoint(tag) | Command::Nothing(tag) => tag,
            Command::Set { name, value, local } => {
                self.change_settings(|settings| settings.set(&name, value.as_deref(), local))?;
                if value.is_none() { "RESET" } else { "SET" }
            }
            Command::ResetAll(tag) => {
                self.change_settings(Settings::reset);
                if tag == "DISCARD ALL" {
                    self.prepared.clear();
                    self.portals.clear();
                }
                tag
            }
            Command::Deallocate(name) => {
                match name {
                    Some(name) => drop(self.prepared.remove(&name)),
                    None => self.prepared.clear(),
                }
                "DEALLOCATE"
            }
            Command::Declare { cursor, query } => {
                let (plan, columns) = self.plan(*query).await?;
                self.keep(cursor, Bound::Rows(Box::new(Portal::new(plan, columns, Vec::new()))))?;
                "DECLARE CURSOR"
            }
            Command::CloseCursor(cursor) => {
                match cursor {
                    Some(cursor) => drop(self.portals.remove(&cursor)),
                    None => self.portals.clear(),
                }
                "CLOSE CURSOR"
            }
            Command::Empty => return self.say(Out::Empty),
            Command::Query(_) | Command::Show(_) | Command::Fetch { .. } => return Ok(()),
        };
        self.complete(tag, None)
    }

    fn keep(&mut self, name: String, bound: Bound) -> Result<(), Failure> {
        if self.portals.len() >= MAX_PORTALS && !self.portals.contains_key(&name) {
            return Err(Failure::new(code::TOO_LARGE, format!("a connection has at most {MAX_PORTALS} statements under way")));
        }
        self.portals.insert(name, bound);
        Ok(())
    }

    async fn parse(&mut self, name: String, sql: &str, types: &[u32]) -> Result<(), Failure> {
        if self.prepared.len() >= MAX_PREPARED && !self.prepared.contains_key(&name) {
            return Err(Failure::new(code::TOO_LARGE, format!("a connection prepares at most {MAX_PREPARED} statements")));
        }
        let mut parts: Vec<&str> = statement::split(sql)?.into_iter().filter(|part| !part.trim().is_empty()).collect();
        let text = parts.pop().unwrap_or_default();
        if !parts.is_empty() {
            return Err(Failure::new(code::SYNTAX, "cannot insert multiple commands into a prepared statement"));
        }
        let command = statement::read(text)?;
        let planned = match &command {
            Command::Query(query) => Some(self.plan((**query).clone()).await?),
            Command::Show(name) => Some(self.show(name).await?),
            _ => None,
        };
        let prepared = match planned {
            Some((plan, _)) => {
                self.allowed()?;
                let said = if let Command::Query(query) = &command { said_types(query) } else { BTreeMap::new() };
                let parameters = parameters_of(&plan, types, &said)?;
                let columns = columns_of(&with_nulls(&plan, &parameters)?);
                Prepared { command, plan: Some(plan), parameters, columns }
            }
            None => {
                let columns = match &command {
                    Command::Fetch { cursor, .. } => match self.portals.get(cursor) {
                        Some(Bound::Rows(portal)) => portal.columns.clone(),
                        _ => Arc::default(),
                    },
                    _ => Arc::default(),
                };
                Prepared { command, plan: None, parameters: Vec::new(), columns }
            }
        };
        self.prepared.insert(name, Arc::new(prepared));
        self.say(Out::Parsed)
    }

    fn statement(&self, name: &str) -> Result<Arc<Prepared>, Failure> {
        let unknown = || Failure::new("26000", format!("prepared statement \"{name}\" does not exist"));
        self.prepared.get(name).cloned().ok_or_else(unknown)
    }

    fn bind(&mut self, bind: Bind) -> Result<(), Failure> {
        let prepared = self.statement(&bind.statement)?;
        let values = parameters::values(&prepared.parameters, &bind)?;
        let bound = match &prepared.plan {
            Some(plan) => {
                let plan = if values.is_empty() { plan.clone() } else { plan.clone().with_param_values(values)? };
                let mut portal = Portal::new(plan, prepared.columns.clone(), bind.results);
                if matches!(prepared.command, Command::Show(_)) {
                    portal.tag = "SHOW";
                }
                Bound::Rows(Box::new(portal))
            }
            None => Bound::Other(prepared.command.clone()),
        };
        self.keep(bind.portal, bound)?;
        self.say(Out::Bound)
    }

    fn describe(&mut self, portal: bool, name: &str) -> Result<(), Failure> {
        let (columns, formats) = if portal {
            match self.portals.get(name) {
                Some(Bound::Rows(portal)) => (portal.columns.clone(), portal.formats.clone()),
                Some(Bound::Other(Command::Fetch { cursor, .. })) => match self.portals.get(cursor) {
                    Some(Bound::Rows(portal)) => (portal.columns.clone(), Vec::new()),
                    _ => Default::default(),
                },
                Some(Bound::Other(_)) => Default::default(),
                None => return Err(Failure::new("34000", format!("portal \"{name}\" does not exist"))),
            }
        } else {
            let prepared = self.statement(name)?;
            let types = prepared.parameters.iter().map(|parameter| parameter.r#type.oid()).collect();
            self.to.push(Out::Parameters(types));
            (prepared.columns.clone(), Vec::new())
        };
        let message = if columns.is_empty() { Out::NoData } else { Out::Columns(columns.clone(), formats.clone()) };
        self.say(message)
    }

    async fn execute(&mut self, name: &str, rows: usize) -> Result<(), Failure> {
        match self.portals.remove(name) {
            Some(Bound::Rows(mut portal)) => {
                self.allowed()?;
                self.send(&mut portal, rows).await?;
                self.keep(name.to_owned(), Bound::Rows(portal))
            }
            Some(Bound::Other(Command::Fetch { cursor, rows })) => {
                self.allowed()?;
                self.fetch(&cursor, rows, false).await
            }
            Some(Bound::Other(command)) => self.obey(command).await,
            None => Err(Failure::new("34000", format!("portal \"{name}\" does not exist"))),
        }
    }
}

fn columns_of(plan: &LogicalPlan) -> Arc<[Column]> {
    plan.schema().fields().iter().map(|field| Column::of(field)).collect()
}

/// Settings of the connection string: `-c name=value`.
fn options_of(options: &str) -> Vec<(String, String)> {
    let words = options.replace("-c ", "-c").replace("--", "-c");
    let pair = |word: &str| {
        let (name, value) = word.strip_prefix("-c")?.split_once('=')?;
        Some((name.to_owned(), value.replace('\\', "")))
    };
    words.split_whitespace().filter_map(pair).collect()
}

/// The parameters of a plan in order: of the type that the client says, or that the statement wants, or text.
fn parameters_of(plan: &LogicalPlan, given: &[u32], cast: &BTreeMap<usize, Type>) -> Result<Vec<Parameter>, Failure> {
    let wanted = plan.get_parameter_types()?;
    let number = |name: &String| name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
    let count = wanted.keys().filter_map(number).max().unwrap_or(0).max(given.len());
    if count > MAX_PREPARED {
        return Err(Failure::new(code::TOO_LARGE, format!("a statement has at most {MAX_PREPARED} parameters")));
    }
    Ok((0..count)
        .map(|index| {
            let wanted = wanted.get(&format!("${}", index + 1)).cloned().flatten();
            let said = given.get(index).filter(|oid| ![0, 705].contains(*oid)).and_then(|oid| Type::from_oid(*oid));
            let said = said.or_else(|| cast.get(&(index + 1)).copied());
            let r#type = said.or_else(|| wanted.as_ref().map(pg_type)).unwrap_or(Type::TEXT);
            Parameter { r#type, wanted }
        })
        .collect())
}

/// A plan with empty parameters of the right types, for its columns.
fn with_nulls(plan: &LogicalPlan, parameters: &[Parameter]) -> Result<LogicalPlan, Failure> {
    if parameters.is_empty() {
        return Ok(plan.clone());
    }
    let null = |parameter: &Parameter| {
        let own = parameter.wanted.clone().or_else(|| arrow_type(&parameter.r#type));
        ScalarValue::try_from(own.as_ref().unwrap_or(&arrow::datatypes::DataType::Utf8))
    };
    let values: Vec<ScalarValue> = parameters.iter().map(null).collect::<Result<_, _>>()?;
    Ok(plan.clone().with_param_values(values)?)
}
