//! Which registers to read together: points near one another share a request; a request that fails is halved until the point at
//! fault is alone, so that one bad register never blinds the rest.

use andon_models::address::{ModbusAddress, ModbusTable};
use std::time::Duration;
use tokio::time::Instant;

/// Registers of one read request (MODBUS Application Protocol 1.1b3 section 6.3).
const MOST_REGISTERS: u32 = 125;
/// Bits of one read request (section 6.1).
const MOST_BITS: u32 = 2_000;
/// Registers nobody asked for that are cheaper to read than a request of its own.
const REGISTER_GAP: u32 = 16;
/// The same for bits.
const BIT_GAP: u32 = 128;
/// When a point that the device refused is tried again.
const REFUSED_RETRY: Duration = Duration::from_secs(10);
/// When a point on which the device falls silent is tried again: each try costs a connection.
const SILENT_RETRY: Duration = Duration::from_secs(60);
/// Silences of one block until it counts as the block's fault while others answer.
const SILENCES: u32 = 2;

/// One read request and the points in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Block {
    /// The table.
    pub table: ModbusTable,
    /// First register or bit.
    pub start: u16,
    /// Registers or bits.
    pub count: u16,
    /// Positions of its points in the list that was planned, by address.
    pub points: Vec<usize>,
    silences: u32,
    retry: Option<Instant>,
}

/// All requests of one device.
pub(crate) struct Plan {
    points: Vec<ModbusAddress>,
    blocks: Vec<Block>,
    split_by_silence: bool,
}

impl Plan {
    /// Plans the reading of points. Points that reach beyond the last register are left out.
    pub fn new(points: Vec<ModbusAddress>) -> Self {
        let mut plan = Self { points, blocks: Vec::new(), split_by_silence: false };
        plan.reset();
        plan
    }

    /// Forgets what was learned about the device.
    pub fn reset(&mut self) {
        self.split_by_silence = false;
        let mut order: Vec<_> = (0..self.points.len()).filter(|point| end(&self.points[*point]) <= 0x1_0000).collect();
        order.sort_by_key(|point| (self.points[*point].table, self.points[*point].register));
        self.blocks.clear();
        for point in order {
            let address = self.points[point].clone();
            let merged = self.blocks.last_mut().is_some_and(|block| block.merge(point, &address));
            if !merged {
                self.blocks.push(Block::of(&self.points, vec![point]));
            }
        }
    }

    /// Takes the blocks that are due, those that always answered first.
    pub fn take_due(&mut self, at: Instant) -> Vec<Block> {
        let (mut due, later) = std::mem::take(&mut self.blocks)
            .into_iter()
            .partition::<Vec<_>, _>(|block| block.retry.is_none_or(|retry| retry <= at));
        self.blocks = later;
        due.sort_by_key(|block| block.silences);
        due
    }

    /// Gives a block back that was not read, or not read well.
    pub fn keep(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// Gives a block back that answered.
    pub fn answered(&mut self, mut block: Block) {
        block.silences = 0;
        block.retry = None;
        self.blocks.push(block);
    }

    /// The device refused a block: its halves, to be read now; or none when a single point is at fault, which is then left alone
    /// for a while.
    pub fn refused(&mut self, block: Block, at: Instant) -> Option<[Block; 2]> {
        self.halves(block, at + REFUSED_RETRY)
    }

    /// The device did not answer a block. Returns whether a single point is now left alone for a while; that is only when the
    /// device answers others, for else it is away as a whole.
    pub fn silent(&mut self, mut block: Block, others_answer: bool, at: Instant) -> bool {
        block.silences += 1;
        if block.silences < SILENCES || (block.points.len() < 2 && !others_answer) {
            self.blocks.push(block);
            return false;
        }
        let halves = self.halves(block, at + SILENT_RETRY);
        self.split_by_silence |= halves.is_some();
        let alone = halves.is_none();
        self.blocks.extend(halves.into_iter().flatten());
        alone
    }

    /// A whole poll went well: when blocks were halved only because the device was away, they are made whole again.
    pub fn all_well(&mut self) {
        if self.split_by_silence && self.blocks.iter().all(|block| block.retry.is_none() && block.silences == 0) {
            self.reset();
        }
    }

    fn halves(&mut self, mut block: Block, retry: Instant) -> Option<[Block; 2]> {
        if block.points.len() < 2 {
            block.retry = Some(retry);
            self.blocks.push(block);
            return None;
        }
        let second = block.points.split_off(block.points.len() / 2);
        Some([block.points, second].map(|points| Block::of(&self.points, points)))
    }
}

impl Block {
    fn of(all: &[ModbusAddress], points: Vec<usize>) -> Self {
        let start = points.iter().map(|point| all[*point].register).min().unwrap_or_default();
        let last = points.iter().map(|point| end(&all[*point])).max().unwrap_or_default();
        let table = points.first().map_or(ModbusTable::Holding, |point| all[*point].table);
        let count = u16::try_from(last.saturating_sub(u32::from(start))).unwrap_or(u16::MAX);
        Self { table, start, count, points, silences: 0, retry: None }
    }

    /// Takes a point in if it lies near enough; points come by address.
    fn merge(&mut self, point: usize, address: &ModbusAddress) -> bool {
        let (most, gap) = if is_bit_table(self.table) { (MOST_BITS, BIT_GAP) } else { (MOST_REGISTERS, REGISTER_GAP) };
        let own_end = u32::from(self.start) + u32::from(self.count);
        let new_end = own_end.max(end(address));
        let near = u32::from(address.register) <= own_end + gap;
        if address.table != self.table || !near || new_end - u32::from(self.start) > most {
            return false;
        }
        self.count = u16::try_from(new_end - u32::from(self.start)).unwrap_or(u16::MAX);
        self.points.push(point);
        true
    }
}

/// Whether a table holds bits.
pub(crate) fn is_bit_table(table: ModbusTable) -> bool {
    matches!(table, ModbusTable::Coil | ModbusTable::Discrete)
}

/// The first address after a point.
fn end(point: &ModbusAddress) -> u32 {
    let width = if is_bit_table(point.table) { 1 } else { point.data_type.registers().max(1) };
    u32::from(point.register) + u32::from(width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::address::{ByteOrder, ModbusType};
    use proptest::prelude::*;

    fn point(table: ModbusTable, register: u16, data_type: ModbusType) -> ModbusAddress {
        ModbusAddress { table, register, bit: None, data_type, order: ByteOrder::Abcd }
    }

    fn holding(register: u16, data_type: ModbusType) -> ModbusAddress {
        point(ModbusTable::Holding, register, data_type)
    }

    fn check(points: Vec<ModbusAddress>, expected: &[(ModbusTable, u16, u16)]) {
        let plan = Plan::new(points);
        let blocks: Vec<_> = plan.blocks.iter().map(|block| (block.table, block.start, block.count)).collect();
        assert_eq!(blocks, expected);
    }

    #[test]
    fn near_points_share_a_request() {
        use ModbusTable::*;
        check(
            vec![
                holding(4, ModbusType::F32),
                holding(0, ModbusType::U16),
                point(Input, 2, ModbusType::U16),
                holding(100, ModbusType::F64),
            ],
            &[(Input, 2, 1), (Holding, 0, 6), (Holding, 100, 4)],
        );
        check(vec![point(Coil, 0, ModbusType::Bool), point(Coil, 120, ModbusType::Bool)], &[(Coil, 0, 121)]);
    }

    #[test]
    fn requests_keep_to_the_protocol() {
        let registers = (0..300).map(|register| holding(register, ModbusType::U16)).collect();
        check(registers, &[(ModbusTable::Holding, 0, 125), (ModbusTable::Holding, 125, 125), (ModbusTable::Holding, 250, 50)]);
        // A point never lies across two requests.
        let floats = (0..63).map(|index| holding(index * 2, ModbusType::F32)).collect();
        check(floats, &[(ModbusTable::Holding, 0, 124), (ModbusTable::Holding, 124, 2)]);
        check(vec![holding(65_535, ModbusType::U32), holding(65_534, ModbusType::U32)], &[(ModbusTable::Holding, 65_534, 2)]);
    }

    proptest! {
        #[test]
        fn every_point_lies_in_exactly_one_request(registers in prop::collection::vec(0_u16..2_000, 1..200)) {
            let points: Vec<_> = registers.iter().map(|register| holding(*register, ModbusType::F32)).collect();
            let plan = Plan::new(points.clone());
            let mut seen = vec![0; points.len()];
            for block in &plan.blocks {
                prop_assert!(block.count <= 125);
                for index in &block.points {
                    seen[*index] += 1;
                    prop_assert!(points[*index].register >= block.start);
                    prop_assert!(points[*index].register + 2 <= block.start + block.count);
                }
            }
            prop_assert!(seen.iter().all(|count| *count == 1));
        }

        #[test]
        fn a_refused_register_ends_up_alone(bad in 0_u16..100) {
            let mut plan = Plan::new((0..100).map(|register| holding(register, ModbusType::U16)).collect());
            let at = Instant::now();
            let mut pending = plan.take_due(at);
            let mut requests = 0;
            while let Some(block) = pending.pop() {
                requests += 1;
                if (block.start..block.start + block.count).contains(&bad) {
                    pending.extend(plan.refused(block, at).into_iter().flatten());
                } else {
                    plan.answered(block);
                }
            }
            prop_assert!(requests <= 16, "{} requests", requests);
            let waiting: Vec<_> = plan.blocks.iter().filter(|block| block.retry.is_some()).collect();
            prop_assert_eq!(waiting.len(), 1);
            prop_assert_eq!((waiting[0].start, waiting[0].count), (bad, 1));
            prop_assert!(plan.take_due(at).iter().all(|block| block.start != bad));
            prop_assert!(plan.take_due(at + REFUSED_RETRY).iter().any(|block| block.start == bad));
        }
    }

    #[test]
    fn blocks_halved_while_the_device_was_away_become_whole_again() {
        let mut plan = Plan::new((0..10).map(|register| holding(register, ModbusType::U16)).collect());
        let at = Instant::now();
        for _ in 0..SILENCES {
            for block in plan.take_due(at) {
                assert!(!plan.silent(block, false, at));
            }
        }
        assert_eq!(plan.blocks.len(), 2);
        for block in plan.take_due(at) {
            plan.answered(block);
        }
        plan.all_well();
        assert_eq!(plan.blocks.len(), 1);
    }
}
