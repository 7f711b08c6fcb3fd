//! Stories against a Modbus server in the same process, which can refuse, fall silent, and go away.

mod browse;

use crate::{
    Delivery, SourceHandle,
    testing::{self, Collected},
};
use andon_models::{
    Quality, StatusCode, TagId, Value, ValueType,
    address::{Address, ByteOrder, ModbusAddress, ModbusTable, ModbusType},
    catalog::Tag,
    command::CommandState,
    definition::{Source, SourceProtocol},
    snapshot::ConnectionState,
};
use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

/// What the server's device is like.
#[derive(Default)]
struct DeviceState {
    registers: HashMap<u16, u16>,
    refused: HashSet<u16>,
    silent: HashSet<u16>,
    no_mask_write: bool,
    ignore_writes: bool,
    connections: usize,
    reads: Vec<(u16, u16)>,
    writes: Vec<(u8, u16)>,
}

struct Server {
    address: SocketAddr,
    state: Arc<Mutex<DeviceState>>,
    task: AbortHandle,
}

impl Server {
    async fn start(address: Option<SocketAddr>, state: Arc<Mutex<DeviceState>>) -> Self {
        let listener = TcpListener::bind(address.unwrap_or_else(|| "127.0.0.1:0".parse().unwrap())).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = state.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                connections.spawn(serve(stream, shared.clone()));
            }
        });
        Self { address, state, task: task.abort_handle() }
    }

    /// Closes the port and every connection.
    async fn stop(&self) {
        self.task.abort();
        testing::until("the port is free", || async { TcpStream::connect(self.address).await.is_err() }).await;
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<DeviceState>>) -> Option<()> {
    loop {
        let mut header = [0; 7];
        stream.read_exact(&mut header).await.ok()?;
        let mut pdu = vec![0; usize::from(u16::from_be_bytes([header[4], header[5]])) - 1];
        stream.read_exact(&mut pdu).await.ok()?;
        let Some(answer) = answer(&mut state.lock().unwrap(), &pdu) else { continue };
        header[4..6].copy_from_slice(&(answer.len() as u16 + 1).to_be_bytes());
        stream.write_all(&[&header[..], &answer].concat()).await.ok()?;
    }
}

/// The answer to a request; none when the device keeps silent.
fn answer(state: &mut DeviceState, pdu: &[u8]) -> Option<Vec<u8>> {
    let word = |at: usize| u16::from_be_bytes([pdu[at], pdu[at + 1]]);
    let (function, start) = (pdu[0], word(1));
    let exception = |code: u8| Some(vec![function | 0x80, code]);
    match function {
        1..=4 => {
            // The last address of a table is 65535.
            let range = (u32::from(start)..u32::from(start) + u32::from(word(3))).map(|register| register as u16);
            state.reads.push((start, word(3)));
            if range.clone().any(|register| state.silent.contains(&register)) {
                return None;
            }
            if range.clone().any(|register| state.refused.contains(&register)) {
                return exception(2);
            }
            let value = |register| state.registers.get(&register).copied().unwrap_or_default();
            let data: Vec<u8> = if function <= 2 {
                let bits: Vec<_> = range.map(|register| value(register) != 0).collect();
                bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |sum, bit| sum << 1 | u8::from(*bit))).collect()
            } else {
                range.flat_map(|register| value(register).to_be_bytes()).collect()
            };
            Some([&[function, data.len() as u8][..], &data].concat())
        }
        22 if state.no_mask_write => exception(1),
        5 | 6 | 16 | 22 => {
            state.writes.push((function, start));
            if state.refused.contains(&start) {
                return exception(2);
            }
            if !state.ignore_writes {
                match function {
                    5 => _ = state.registers.insert(start, u16::from(pdu[3] == 0xFF)),
                    6 => _ = state.registers.insert(start, word(3)),
                    16 => (0..word(3)).for_each(|index| {
                        state.registers.insert(start + index, word(6 + 2 * usize::from(index)));
                    }),
                    _ => {
                        let old = state.registers.get(&start).copied().unwrap_or_default();
                        state.registers.insert(start, (old & word(3)) | (word(5) & !word(3)));
                    }
                }
            }
            Some(pdu[..pdu.len().min(if function == 22 { 7 } else { 5 })].to_vec())
        }
        _ => exception(1),
    }
}

fn point(table: ModbusTable, register: u16, data_type: ModbusType) -> ModbusAddress {
    ModbusAddress { table, register, bit: None, data_type, order: ByteOrder::Cdab }
}

fn holding(register: u16, data_type: ModbusType) -> ModbusAddress {
    point(ModbusTable::Holding, register, data_type)
}

fn tag(id: u32, address: ModbusAddress, value_type: ValueType, read: bool) -> Tag {
    testing::tag(id, Address::Modbus(address), value_type, read)
}

/// A source over a server, and what it delivered.
fn source(server: &Server, tags: Vec<Tag>) -> (SourceHandle, Collected) {
    let protocol = SourceProtocol::Modbus { host: server.address.to_string().into(), unit: 1 };
    let source = Source { name: "scale".into(), protocol, every: Duration::from_millis(30), writes_allowed: true };
    testing::start(source, tags)
}

fn registers(values: &[(u16, u16)]) -> Arc<Mutex<DeviceState>> {
    Arc::new(Mutex::new(DeviceState { registers: values.iter().copied().collect(), ..Default::default() }))
}

#[tokio::test]
async fn values_of_all_tables_arrive_in_one_request_each() {
    let server = Server::start(None, registers(&[(0, 0x2000), (1, 0x47F1), (2, 7), (3, 1)])).await;
    let tags = vec![
        tag(0, holding(0, ModbusType::F32), ValueType::Double, true),
        tag(1, holding(2, ModbusType::U16), ValueType::Integer, true),
        tag(2, point(ModbusTable::Coil, 3, ModbusType::Bool), ValueType::Boolean, true),
        tag(3, ModbusAddress { bit: Some(1), ..point(ModbusTable::Input, 2, ModbusType::Bool) }, ValueType::Boolean, true),
    ];
    let (handle, collected) = source(&server, tags);
    collected.wait("all values", |latest| latest.len() == 4).await;
    assert_eq!(collected.value(0), Value::Double(123_456.0));
    assert_eq!(collected.value(1), Value::Integer(7));
    assert_eq!(collected.value(2), Value::Boolean(true));
    assert_eq!(collected.value(3), Value::Boolean(true));
    let status = handle.status().borrow().clone();
    assert_eq!((status.state, status.connects, status.tags), (ConnectionState::Connected, 1, 4));
    assert!(status.received >= 4 && status.last_value.is_some());
    assert!(server.state.lock().unwrap().reads.iter().all(|read| [(0, 3), (2, 1), (3, 1)].contains(read)));
    handle.stop().await;
}

#[tokio::test]
async fn a_bad_register_does_not_blind_the_rest() {
    let server = Server::start(None, registers(&[(0, 10), (9, 19)])).await;
    server.state.lock().unwrap().refused.insert(4);
    let tags = (0..10).map(|id| tag(id, holding(id as u16, ModbusType::U16), ValueType::Integer, true)).collect();
    let (handle, collected) = source(&server, tags);
    collected.wait("all tags, one of them Bad", |latest| latest.len() == 10).await;
    for id in (0..10).filter(|id| *id != 4) {
        assert_eq!(collected.latest(id).quality, Quality::Good, "tag {id}");
    }
    assert_eq!((collected.latest(4).quality, collected.latest(4).status), (Quality::Bad, StatusCode::DEVICE_FAILURE));
    let status = handle.status().borrow().clone();
    assert_eq!(status.state, ConnectionState::Connected);
    assert!(status.last_error.contains("holding/4") && status.last_error.contains("no such register"), "{}", status.last_error);
    // Reported once, though polls go on.
    let so_far = collected.count(0);
    collected.wait_count(0, so_far + 5).await;
    assert_eq!(collected.count(4), 1);
    handle.stop().await;
}

#[tokio::test]
async fn a_lost_device_turns_bad_once_and_comes_back_by_itself() {
    let server = Server::start(None, registers(&[(0, 10)])).await;
    let tags = vec![
        tag(0, holding(0, ModbusType::U16), ValueType::Integer, true),
        tag(1, holding(1, ModbusType::U16), ValueType::Integer, true),
        tag(2, holding(2, ModbusType::U16), ValueType::Integer, false),
    ];
    let (handle, collected) = source(&server, tags);
    collected.wait("values", |latest| latest.len() == 2).await;
    server.stop().await;
    collected.wait("Bad", |latest| latest.values().all(|tqv| tqv.status == StatusCode::NOT_CONNECTED)).await;
    let state = handle.status().borrow().state;
    assert_eq!(state, ConnectionState::Lost);
    server.state.lock().unwrap().registers.insert(0, 11);
    let server = Server::start(Some(server.address), server.state.clone()).await;
    collected.wait("values again", |latest| latest[&TagId(0)].value == Value::Integer(11)).await;
    for id in [0, 1] {
        assert_eq!(collected.all(id).iter().filter(|tqv| tqv.quality == Quality::Bad).count(), 1, "tag {id}");
        assert!(collected.all(id).windows(2).all(|pair| pair[0].time < pair[1].time), "tag {id} goes forward in time");
    }
    assert!(collected.all(2).is_empty(), "a control is not read");
    assert_eq!(handle.status().borrow().connects, 2);
    handle.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn silence_about_one_register_does_not_blind_the_rest() {
    let standstills = testing::Standstills::watch();
    let server = Server::start(None, registers(&[(0, 10)])).await;
    server.state.lock().unwrap().silent.insert(100);
    let tags = vec![
        tag(0, holding(0, ModbusType::U16), ValueType::Integer, true),
        tag(1, holding(100, ModbusType::U16), ValueType::Integer, true),
    ];
    let (handle, collected) = source(&server, tags);
    collected.wait("one Good, one Bad", |latest| latest.len() == 2).await;
    assert_eq!((collected.latest(1).quality, collected.latest(1).status), (Quality::Bad, StatusCode::TIMEOUT));
    let before = collected.count(0);
    collected.wait_count(0, before + 10).await;
    if standstills.none() {
        assert!(collected.all(0).iter().all(|tqv| tqv.quality == Quality::Good));
        assert_eq!(handle.status().borrow().connects, 1, "the device as a whole was never lost");
        // Two silences until the register is left alone; each cost its connection, so that a late answer finds nobody.
        assert_eq!(server.state.lock().unwrap().connections, 3);
        assert_eq!(collected.count(1), 1);
    }
    handle.stop().await;
}

#[tokio::test]
async fn writes_are_read_back() {
    let server = Server::start(None, registers(&[(0, 0), (20, 0b1001)])).await;
    let tags = vec![
        tag(0, holding(0, ModbusType::U16), ValueType::Integer, true),
        tag(1, holding(10, ModbusType::F32), ValueType::Double, false),
        tag(2, point(ModbusTable::Coil, 12, ModbusType::Bool), ValueType::Boolean, false),
        tag(3, ModbusAddress { bit: Some(2), ..holding(20, ModbusType::Bool) }, ValueType::Boolean, false),
        tag(4, point(ModbusTable::Input, 0, ModbusType::U16), ValueType::Integer, false),
        tag(5, holding(30, ModbusType::I16), ValueType::Integer, false),
    ];
    let (handle, collected) = source(&server, tags);
    collected.wait("values", |latest| !latest.is_empty()).await;
    for (id, value) in [(1, Value::Double(4.2)), (2, true.into()), (3, true.into()), (5, Value::Integer(-5))] {
        let outcome = handle.write(&testing::command(id, value)).await;
        assert_eq!((outcome.state, &*outcome.reason), (CommandState::Verified, ""), "tag {id}");
    }
    assert_eq!(server.state.lock().unwrap().registers[&20], 0b1101, "the other bits stay");
    server.state.lock().unwrap().no_mask_write = true;
    let outcome = handle.write(&testing::command(3, false.into())).await;
    assert_eq!(outcome.state, CommandState::Verified);
    assert_eq!(server.state.lock().unwrap().registers[&20], 0b1001);
    assert_eq!(handle.read_back(TagId(5)).await.unwrap(), Value::Integer(-5));
    let writes = server.state.lock().unwrap().writes.len();
    for (id, value, words) in [
        (5, Value::Integer(40_000), "whole numbers from -32768 to 32767"),
        (5, "stop".into(), "whole numbers"),
        (2, Value::Integer(7), "true or false"),
        (4, Value::Integer(1), "only be read"),
        (77, Value::Integer(1), "no such tag"),
    ] {
        let outcome = handle.write(&testing::command(id, value)).await;
        assert_eq!(outcome.state, CommandState::Failed);
        assert!(outcome.reason.contains(words), "{}", outcome.reason);
    }
    let late =
        andon_models::command::Command { deadline: andon_models::Timestamp::EPOCH, ..testing::command(5, Value::Integer(1)) };
    assert_eq!(handle.write(&late).await.state, CommandState::Expired);
    assert_eq!(server.state.lock().unwrap().writes.len(), writes, "nothing was sent");
    handle.stop().await;
}

#[tokio::test]
async fn a_write_that_does_not_show_has_failed_and_one_without_answer_is_unknown() {
    let server = Server::start(None, registers(&[(5, 3)])).await;
    let tags = vec![
        tag(0, holding(0, ModbusType::U16), ValueType::Integer, true),
        tag(1, holding(5, ModbusType::U16), ValueType::Integer, false),
    ];
    let (handle, collected) = source(&server, tags);
    collected.wait("values", |latest| !latest.is_empty()).await;
    server.state.lock().unwrap().ignore_writes = true;
    let outcome = handle.write(&testing::command(1, Value::Integer(4))).await;
    assert_eq!((outcome.state, outcome.read_back), (CommandState::Failed, Value::Integer(3)));
    server.state.lock().unwrap().refused.insert(5);
    let outcome = handle.write(&testing::command(1, Value::Integer(4))).await;
    assert_eq!(outcome.state, CommandState::Failed);
    assert!(outcome.reason.contains("no such register"), "{}", outcome.reason);
    server.state.lock().unwrap().refused.clear();
    server.state.lock().unwrap().silent.insert(5);
    let outcome = handle.write(&testing::command(1, Value::Integer(4))).await;
    assert_eq!(outcome.state, CommandState::Unknown, "{}", outcome.reason);
    server.stop().await;
    testing::until("lost", || async { handle.status().borrow().state == ConnectionState::Lost }).await;
    let outcome = handle.write(&testing::command(1, Value::Integer(4))).await;
    assert_eq!(outcome.state, CommandState::Failed);
    assert!(outcome.reason.contains("not connected"), "{}", outcome.reason);
    handle.stop().await;
}

#[tokio::test]
async fn a_source_without_leave_to_write_refuses() {
    let server = Server::start(None, registers(&[])).await;
    let protocol = SourceProtocol::Modbus { host: server.address.to_string().into(), unit: 1 };
    let source = Source { name: "scale".into(), protocol, every: Duration::from_millis(30), writes_allowed: false };
    let (handle, _collected) = testing::start(source, vec![tag(0, holding(0, ModbusType::U16), ValueType::Integer, true)]);
    let outcome = handle.write(&testing::command(0, Value::Integer(1))).await;
    assert_eq!(outcome.state, CommandState::Refused);
    assert!(outcome.reason.contains("writes: allow"), "{}", outcome.reason);
    handle.stop().await;
}

#[tokio::test]
async fn a_receiver_that_does_not_take_is_waited_for_and_what_is_dropped_is_counted() {
    let server = Server::start(None, registers(&[])).await;
    let protocol = SourceProtocol::Modbus { host: server.address.to_string().into(), unit: 1 };
    let source = Source { name: "scale".into(), protocol, every: Duration::from_millis(1), writes_allowed: true };
    let (deliver, mut deliveries) = mpsc::channel::<Delivery>(1);
    let tags = vec![tag(0, holding(0, ModbusType::U16), ValueType::Integer, true)];
    let handle = crate::start(testing::plan(source, tags), deliver, testing::now());
    let mut status = handle.status();
    tokio::time::timeout(testing::PATIENCE, status.wait_for(|status| status.dropped > 0)).await.unwrap().unwrap();
    // A write still gets through while nobody takes samples.
    assert_eq!(handle.write(&testing::command(0, Value::Integer(1))).await.state, CommandState::Verified);
    let delivery = deliveries.recv().await.unwrap();
    assert_eq!(&*delivery.source, "scale");
    assert!(!delivery.samples.is_empty());
    handle.stop().await;
}
