//! How fast lines are read: `cargo bench -p andon-dashboards`. One element is one line.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use andon_dashboards::line_protocol::Lines;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::{fmt::Write as _, hint::black_box};

/// Lines of a body, as most writers send.
const LINES: u64 = 1_000;

fn body(fields: usize) -> String {
    let mut text = String::new();
    for line in 0..LINES {
        let _ = write!(text, "press,area=hall\\ {},line=L{},host=plc-{line} ", line % 3, line % 7);
        for field in 0..fields {
            let comma = if field == 0 { "" } else { "," };
            let _ = write!(text, "{comma}value_{field}={}.{}", 20 + line % 60, line % 100);
        }
        let _ = writeln!(text, " {}", 1_767_225_600_000_000_000 + line * 1_000_003);
    }
    text
}

fn lines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("line protocol");
    for fields in [1, 10] {
        let body = body(fields);
        group.throughput(Throughput::Elements(LINES));
        group.bench_function(format!("{LINES} lines of {fields} fields, {} bytes", body.len()), |bencher| {
            let mut parsed = Vec::new();
            bencher.iter(|| {
                let mut lines = Lines::new(black_box(body.as_bytes()));
                while let Some(line) = lines.next_line(&mut parsed) {
                    let _ = black_box((line, &parsed));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, lines);
criterion_main!(benches);
