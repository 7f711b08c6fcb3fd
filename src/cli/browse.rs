//! `andon browse`: what a source offers, as a tree with live values, and the lines that bind it.

mod show;

use super::{block_on, check, client::Client, print};
use crate::service::{clock, sources::plan_of};
use andon_models::{
    browse::{Browse as Ask, BrowseView, NodeKind, NodeView, names_source, view},
    catalog::{Catalog, SeriesDirectory},
    definition::Source,
};
use anyhow::{Context, anyhow, bail};
use std::{collections::VecDeque, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

/// Levels below the first that are opened at most.
const MAX_DEPTH: usize = 10;
/// Nodes that are printed unless another number is given: some screens.
const DEFAULT_NODES: usize = 300;

/// Arguments of `andon browse`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  andon browse line2_plc                              the first two levels of an OPC UA server\n  \
                  andon browse line2_plc \"ns=2;s=Filler\" --depth 3\n  \
                  andon browse line2_plc --find \"*Temp*\"              names; with a / whole paths: --find \"Filler/*\"\n  \
                  andon browse line2_drives                           what the plant file reads of a Modbus device\n  \
                  andon browse line2_drives holding/0..19             a range, in every common type and byte order\n  \
                  andon browse energy bottling/line1 --seconds 10     the topics of a broker\n  \
                  andon browse plc --plant plant.yaml                 without a running Andon\n\n\
                  The lines printed last belong below `measurements:` of a model; @slot is the slot by which its assets name the source.\n\
                  Nothing is written to a device."
)]
pub struct Browse {
    /// The source.
    source: String,
    /// Where: a node id, a topic, or the first register of a range.
    node: Option<String>,
    /// Looks for names below the node: `temp` anywhere in a name, `*.Temp` as the whole name, with a / in the whole path.
    #[arg(long, value_name = "PATTERN")]
    find: Option<String>,
    /// How many levels are opened: 1 is the children of the node only.
    #[arg(long, default_value_t = 2)]
    depth: usize,
    /// How many nodes at most.
    #[arg(long, default_value_t = DEFAULT_NODES)]
    limit: usize,
    /// Modbus: registers or bits from the node on, up to 125.
    #[arg(long, default_value_t = 10)]
    count: u16,
    /// Modbus: the unit, if not the source's own.
    #[arg(long)]
    unit: Option<u8>,
    /// MQTT: how long to listen, up to 30.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// A running Andon.
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "ANDON_URL")]
    url: String,
    /// Connects to the source of this plant file itself, for when no Andon runs on it; --url does not count then.
    #[arg(long, value_name = "FILE or DIR")]
    plant: Option<PathBuf>,
    /// With --plant: the data folder, for the certificates of OPC UA.
    #[arg(long, default_value = "data", value_name = "DIR", requires = "plant")]
    data: PathBuf,
}

/// Who is asked.
enum Way {
    Running(Client),
    Visit(Box<Visit>),
}

/// A connection of our own.
struct Visit {
    catalog: Catalog,
    source: Source,
    handle: andon_ingest::SourceHandle,
}

/// A node with what was opened below it.
#[derive(serde::Serialize)]
struct Opened {
    #[serde(flatten)]
    node: NodeView,
    below: Vec<Opened>,
    /// Whether there is more below it than was opened.
    more: bool,
}

impl Browse {
    /// Asks and prints.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(self.ask())??;
        Ok(ExitCode::SUCCESS)
    }

    async fn ask(&self) -> anyhow::Result<()> {
        if self.limit == 0 || !(1..=MAX_DEPTH).contains(&self.depth) {
            bail!("--limit is at least 1, --depth 1 to {MAX_DEPTH}");
        }
        let way = self.way().await?;
        let answer = self.all(&way).await;
        if let Way::Visit(visit) = way {
            visit.handle.stop().await;
        }
        let (first, nodes) = answer?;
        if self.json {
            return Ok(print(&serde_json::to_string_pretty(&nodes)?)?);
        }
        print(&show::text(&first, &nodes, self.find.is_some()))?;
        Ok(())
    }

    async fn way(&self) -> anyhow::Result<Way> {
        let Some(plant) = &self.plant else { return Ok(Way::Running(Client::new(&self.url)?)) };
        let checked = check::load(plant)?;
        let Some(plant) = &checked.loaded.plant else {
            checked.print();
            bail!("the plant file has errors");
        };
        let catalog = Catalog::build(Arc::new(plant.clone()), &mut SeriesDirectory::default());
        let source = names_source(plant, &self.source).map_err(|near| {
            let hint = if near.is_empty() { "its `sources:` lists them".into() } else { format!("did you mean {near}?") };
            anyhow!("the plant file has no source {}\n  {hint}", self.source)
        })?;
        let source = source.clone();
        let plan = plan_of(&catalog, &source, &self.data);
        let handle = andon_ingest::visit(plan, clock::system()).await.map_err(told)?;
        Ok(Way::Visit(Box::new(Visit { catalog, source, handle })))
    }

    /// The nodes asked for and the levels below them; the whole is bounded by `limit`.
    async fn all(&self, way: &Way) -> anyhow::Result<(BrowseView, Vec<Opened>)> {
        let start = Ask {
            node: self.node.as_deref().unwrap_or_default().into(),
            find: self.find.as_deref().unwrap_or_default().into(),
            count: self.count,
            unit: self.unit,
            listen: self.seconds.map(Duration::from_secs),
            ..Ask::default()
        };
        let first = way.ask(&self.source, &start, self.limit).await?;
        let mut left = self.limit.saturating_sub(first.nodes.len());
        let mut levels = vec![(None, first.nodes.clone(), first.next.is_some())];
        let deep = if self.find.is_some() || first.protocol.as_ref() == "modbus" { 1 } else { self.depth };
        let mut open: VecDeque<_> = below(&first.nodes, 1);
        while let Some((node, depth)) = open.pop_front() {
            if depth >= deep || left == 0 {
                continue;
            }
            let level = way.ask(&self.source, &Ask::children_of(&node), left).await?;
            left = left.saturating_sub(level.nodes.len());
            open.extend(below(&level.nodes, depth + 1));
            levels.push((Some(node), level.nodes, level.next.is_some()));
        }
        Ok((first, tree(None, &mut levels)))
    }
}

/// The nodes that may have something below them. What a broker tells about itself is opened for whoever asks for it: it is listened
/// to by itself.
fn below(nodes: &[NodeView], depth: usize) -> VecDeque<(Arc<str>, usize)> {
    let opens = |node: &&NodeView| node.children && node.kind != NodeKind::Register && &*node.node != "$SYS";
    nodes.iter().filter(opens).map(|node| (node.node.clone(), depth)).collect()
}

type Level = (Option<Arc<str>>, Vec<NodeView>, bool);

/// Levels put together. A node that stands below two others is opened once.
fn tree(owner: Option<&Arc<str>>, levels: &mut Vec<Level>) -> Vec<Opened> {
    let Some(at) = levels.iter().position(|(node, ..)| node.as_ref() == owner) else { return Vec::new() };
    let (_, nodes, cut) = levels.swap_remove(at);
    let last = nodes.len().saturating_sub(1);
    let opened = nodes.into_iter().enumerate().map(|(index, node)| {
        let below = tree(Some(&node.node), levels);
        let more = (cut && index == last) || (node.children && below.is_empty() && node.readings.is_empty());
        Opened { node, below, more }
    });
    opened.collect()
}

impl Way {
    /// Asks page by page until there is no more, or `most` nodes are there.
    async fn ask(&self, source: &str, ask: &Ask, most: usize) -> anyhow::Result<BrowseView> {
        let mut whole: Option<BrowseView> = None;
        loop {
            let have = whole.as_ref().map_or(0, |whole| whole.nodes.len());
            let limit = (most - have).clamp(1, Ask::default().limit);
            let after = whole.as_ref().and_then(|whole| whole.next).unwrap_or_default();
            // Only the first page listens anew.
            let listen = ask.listen.filter(|_| whole.is_none());
            let page = self.page(source, &Ask { after, limit, listen, ..ask.clone() }).await?;
            let next = page.next;
            whole = Some(match whole {
                None => page,
                Some(mut whole) => {
                    whole.nodes.extend(page.nodes);
                    BrowseView { next, ..whole }
                }
            });
            if let Some(whole) = whole.take_if(|whole| next.is_none() || whole.nodes.len() >= most) {
                return Ok(whole);
            }
        }
    }

    async fn page(&self, source: &str, ask: &Ask) -> anyhow::Result<BrowseView> {
        match self {
            Self::Running(client) => {
                let [after, limit, count] = [ask.after, ask.limit, usize::from(ask.count)].map(|number| number.to_string());
                let unit = ask.unit.map(|unit| unit.to_string());
                let seconds = ask.listen.map(|span| span.as_secs().to_string());
                let mut parameters =
                    vec![("node", &*ask.node), ("find", &*ask.find), ("after", &after), ("limit", &limit), ("count", &count)];
                parameters.extend(unit.as_deref().map(|unit| ("unit", unit)));
                parameters.extend(seconds.as_deref().map(|seconds| ("seconds", seconds)));
                let answer = client.get(&["api", "sources", source, "browse"], &parameters).await?;
                serde_json::from_value(answer).context("that Andon answers otherwise than this one; is it older?")
            }
            Self::Visit(visit) => {
                let browsed = visit.handle.browse(ask).await.map_err(told)?;
                Ok(view(&visit.catalog, &visit.source, &ask.node, browsed))
            }
        }
    }
}

fn told(refusal: andon_models::browse::BrowseRefusal) -> anyhow::Error {
    let hint = if refusal.hint.is_empty() { String::new() } else { format!("\n  {}", refusal.hint) };
    anyhow!("{}{hint}", refusal.message)
}
