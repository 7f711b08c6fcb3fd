"""OEE of whole simulated shifts equals a calculation that shares nothing with ours but the raw samples and ISO 22400-2."""

from datetime import datetime, timedelta

from peers import wait_for


def instant(text):
    return datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00")


def steps(demo, asset, prop, column, start, end):
    """Good values of a property that hold in the window: (from, to, value), the one carried in included."""
    earlier = (start - timedelta(days=3)).isoformat()
    rows = demo.sql(
        f"SELECT time, {column} FROM samples WHERE asset = '{asset}' AND property = '{prop}' AND quality = 'good' "
        f"AND time > '{earlier}' AND time <= '{end.isoformat()}' ORDER BY time"
    )
    rows = [(instant(time), value) for time, value in rows]
    carried = [row for row in rows if row[0] <= start][-1:]
    inside = [row for row in rows if row[0] > start]
    assert carried, f"{asset} {prop} is known before the shift"
    values = [(start, carried[0][1]), *inside]
    ends = [time for time, _ in values[1:]] + [end]
    return [(begin, until, value) for (begin, value), until in zip(values, ends)]


def gained(values):
    total = 0.0
    for (_, _, before), (_, _, after) in zip(values, values[1:]):
        total += after - before if after >= before else after
    return total


def seconds_where(first, second, wanted):
    """Seconds in which `wanted(a, b)` holds for two step functions over the same window."""
    total, i, j = 0.0, 0, 0
    while i < len(first) and j < len(second):
        begin, end = max(first[i][0], second[j][0]), min(first[i][1], second[j][1])
        if end > begin and wanted(first[i][2], second[j][2]):
            total += (end - begin).total_seconds()
        if first[i][1] <= second[j][1]:
            i += 1
        else:
            j += 1
    return total


def test_oee_of_simulated_shifts(andon_demo):
    demo = andon_demo("--history", "20h", "--calm", "--seed", "5")
    stored = demo.sql(
        "SELECT asset, time, double FROM samples WHERE property = 'oee_shift' AND asset LIKE '%/Filler%' "
        "AND time > now() - INTERVAL '11 hours' ORDER BY asset, time"
    )
    assert len(stored) >= 3, stored
    for asset, time, oee in stored:
        end = instant(time)
        start = end - timedelta(hours=8)
        states = steps(demo, asset, "state", '"integer"', start, end)
        modes = steps(demo, asset, "mode", '"integer"', start, end)
        good = gained(steps(demo, asset, "good_count", "double", start, end))
        bad = gained(steps(demo, asset, "bad_count", "double", start, end))
        [[ideal_per_hour]] = demo.sql(
            f"SELECT double FROM samples WHERE asset = '{asset}' AND property = 'ideal_rate' ORDER BY time DESC LIMIT 1"
        )
        planned_busy = seconds_where(states, modes, lambda state, mode: mode not in (5, 6))
        run = seconds_where(states, modes, lambda state, mode: mode not in (5, 6) and state == 6)
        expected = good * 3600 / ideal_per_hour / planned_busy
        assert abs(oee - expected) < 1e-9, (asset, time, oee, expected)

        def figure(name):
            [[value]] = demo.sql(f"SELECT double FROM samples WHERE asset = '{asset}' AND property = '{name}_shift' AND time = '{time}'")
            return value

        assert abs(figure("quality_rate") - good / (good + bad)) < 1e-12
        # Short stops move from availability to performance, so it lies between running time and all of it.
        assert run / planned_busy - 1e-9 <= figure("availability") <= 1
        product = figure("availability") * figure("performance") * figure("quality_rate")
        assert abs(product - oee) < 1e-9


def test_counters_go_on_from_history_to_live(andon_demo):
    demo = andon_demo("--history", "1h", "--calm")
    live = "SELECT count(*) FROM samples WHERE property = 'good_count' AND time > now() - INTERVAL '10 seconds'"
    wait_for("live counters", lambda: demo.sql(live)[0][0] > 50)
    fallen = demo.sql(
        "SELECT asset, property, time, double, before FROM (SELECT asset, property, time, double, "
        "lag(double) OVER (PARTITION BY asset, property ORDER BY time) AS before FROM samples "
        "WHERE property IN ('good_count', 'bad_count') AND quality = 'good') WHERE double < before"
    )
    assert fallen == []
