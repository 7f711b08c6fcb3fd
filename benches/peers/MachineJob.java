// The detector of `detectors.py` in Apache Flink: `java MachineJob cep|process SAMPLES.bin`.
//
// `cep`: Flink CEP knows patterns, not states. Three of them say what the machine's moves are: an edge, an edge with no return in time, an
// edge with a return. `process`: a keyed process function with state and event-time timers, what one writes in Flink for a state machine.
// The same job runs for some seconds first and does not count: it warms the JVM.

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.cep.CEP;
import org.apache.flink.cep.functions.PatternProcessFunction;
import org.apache.flink.cep.functions.TimedOutPartialMatchHandler;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.cep.pattern.conditions.SimpleCondition;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.RichSinkFunction;
import org.apache.flink.streaming.api.functions.source.SourceFunction;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

public class MachineJob {
    static final int NORMAL = 0, WARMING = 1, ALARM = 2, RUNNING = 0, ROW = 24;
    static final double LIMIT = 80, BAND = 3;
    static final long DELAY = 30;
    static final long WARM_NANOS = 5_000_000_000L;
    static final long MIX = 0x9E3779B97F4A7C15L;

    static Sample[] samples;
    static final List<Tuple4<Long, Integer, Integer, Integer>> found = new ArrayList<>();
    static volatile long began, ended;
    static volatile boolean warm;

    /** A sample; CEP's conditions see one event only, so `running` is joined to it before the time counts. */
    public static class Sample {
        public long time;
        public int machine;
        public int tag;
        public double value;
        public boolean running;
    }

    static Sample[] read(Path path) throws Exception {
        ByteBuffer rows = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
        Sample[] read = new Sample[rows.capacity() / ROW];
        java.util.HashMap<Integer, Boolean> running = new java.util.HashMap<>();
        for (int at = 0; at < read.length; at++) {
            Sample one = read[at] = new Sample();
            one.time = rows.getLong();
            one.machine = rows.getInt();
            one.tag = rows.getInt();
            one.value = rows.getDouble();
            if (one.tag == RUNNING) running.put(one.machine, one.value != 0);
            one.running = running.getOrDefault(one.machine, false);
        }
        return read;
    }

    public static class Source implements SourceFunction<Sample> {
        @Override
        public void run(SourceContext<Sample> context) {
            began = System.nanoTime();
            long now = Long.MIN_VALUE;
            for (Sample one : samples) {
                if (one.time != now && now != Long.MIN_VALUE) {
                    context.emitWatermark(new Watermark(now * 1000));
                    if (!warm && System.nanoTime() - began > WARM_NANOS) return;
                }
                now = one.time;
                context.collectWithTimestamp(one, now * 1000);
            }
        }

        @Override
        public void cancel() {}
    }

    public static class Sink extends RichSinkFunction<Tuple4<Long, Integer, Integer, Integer>> {
        @Override
        public void invoke(Tuple4<Long, Integer, Integer, Integer> move, Context context) {
            found.add(move);
        }

        @Override
        public void close() {
            ended = System.nanoTime();
        }
    }

    static SimpleCondition<Sample> when(org.apache.flink.api.common.functions.FilterFunction<Sample> condition) {
        return SimpleCondition.of(condition);
    }

    static Pattern<Sample, ?> edge() {
        return Pattern.<Sample>begin("cool").where(when(s -> s.value <= LIMIT)).next("hot").where(when(s -> s.value > LIMIT && s.running));
    }

    static Tuple4<Long, Integer, Integer, Integer> move(long time, Sample one, int from, int to) {
        return Tuple4.of(time, one.machine, from, to);
    }

    public static class Entered extends PatternProcessFunction<Sample, Tuple4<Long, Integer, Integer, Integer>> {
        @Override
        public void processMatch(Map<String, List<Sample>> match, Context context, Collector<Tuple4<Long, Integer, Integer, Integer>> out) {
            Sample hot = match.get("hot").get(0);
            out.collect(move(hot.time, hot, NORMAL, WARMING));
        }
    }

    public static class Returned extends PatternProcessFunction<Sample, Tuple4<Long, Integer, Integer, Integer>> {
        @Override
        public void processMatch(Map<String, List<Sample>> match, Context context, Collector<Tuple4<Long, Integer, Integer, Integer>> out) {
            Sample hot = match.get("hot").get(0), back = match.get("back").get(0);
            out.collect(move(back.time, back, back.time - hot.time < DELAY ? WARMING : ALARM, NORMAL));
        }
    }

    static final OutputTag<Tuple4<Long, Integer, Integer, Integer>> LATE = new OutputTag<>("late") {};

    public static class Stayed extends PatternProcessFunction<Sample, Tuple4<Long, Integer, Integer, Integer>>
            implements TimedOutPartialMatchHandler<Sample> {
        @Override
        public void processMatch(Map<String, List<Sample>> match, Context context, Collector<Tuple4<Long, Integer, Integer, Integer>> out) {}

        @Override
        public void processTimedOutMatch(Map<String, List<Sample>> match, Context context) {
            if (!match.containsKey("hot")) return;
            Sample hot = match.get("hot").get(0);
            context.output(LATE, move(hot.time + DELAY, hot, WARMING, ALARM));
        }
    }

    public static class Machine extends KeyedProcessFunction<Integer, Sample, Tuple4<Long, Integer, Integer, Integer>> {
        private transient ValueState<Integer> state;
        private transient ValueState<Long> due;
        private transient ValueState<Boolean> running;

        @Override
        public void open(Configuration ignored) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("state", Integer.class));
            due = getRuntimeContext().getState(new ValueStateDescriptor<>("due", Long.class));
            running = getRuntimeContext().getState(new ValueStateDescriptor<>("running", Boolean.class));
        }

        @Override
        public void processElement(Sample one, Context context, Collector<Tuple4<Long, Integer, Integer, Integer>> out) throws Exception {
            if (one.tag == RUNNING) {
                running.update(one.value != 0);
                return;
            }
            Integer known = state.value();
            int now = known == null ? NORMAL : known;
            if (now == NORMAL && one.value > LIMIT && Boolean.TRUE.equals(running.value())) {
                out.collect(move(one.time, one, NORMAL, WARMING));
                state.update(WARMING);
                due.update(one.time + DELAY);
                context.timerService().registerEventTimeTimer((one.time + DELAY) * 1000);
            } else if (now != NORMAL && one.value < LIMIT - BAND) {
                out.collect(move(one.time, one, now, NORMAL));
                state.update(NORMAL);
                if (now == WARMING) context.timerService().deleteEventTimeTimer(due.value() * 1000);
            }
        }

        @Override
        public void onTimer(long at, OnTimerContext context, Collector<Tuple4<Long, Integer, Integer, Integer>> out) throws Exception {
            state.update(ALARM);
            out.collect(Tuple4.of(at / 1000, context.getCurrentKey(), WARMING, ALARM));
        }
    }

    static double run(String kind) throws Exception {
        found.clear();
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(1);
        environment.getConfig().enableObjectReuse();
        KeyedStream<Sample, Integer> stream = environment.addSource(new Source()).returns(Sample.class).keyBy(s -> s.machine);
        DataStream<Tuple4<Long, Integer, Integer, Integer>> moves;
        if (kind.equals("process")) {
            moves = stream.process(new Machine());
        } else {
            KeyedStream<Sample, Integer> degrees = stream.filter(s -> s.tag != RUNNING).keyBy(s -> s.machine);
            Pattern<Sample, ?> back = edge().followedBy("back").where(when(s -> s.value < LIMIT - BAND));
            // Counted from the first event, the second before the edge.
            Pattern<Sample, ?> soon = edge().followedBy("back").where(when(s -> s.value < LIMIT - BAND)).within(Duration.ofSeconds(DELAY + 1));
            DataStream<Tuple4<Long, Integer, Integer, Integer>> entered = CEP.pattern(degrees, cast(edge())).process(new Entered());
            DataStream<Tuple4<Long, Integer, Integer, Integer>> returned = CEP.pattern(degrees, cast(back)).process(new Returned());
            DataStream<Tuple4<Long, Integer, Integer, Integer>> stayed =
                    CEP.pattern(degrees, cast(soon)).process(new Stayed()).getSideOutput(LATE);
            moves = entered.union(returned, stayed);
        }
        moves.addSink(new Sink());
        environment.execute();
        return (ended - began) / 1e9;
    }

    @SuppressWarnings("unchecked")
    static Pattern<Sample, Sample> cast(Pattern<Sample, ?> pattern) {
        return (Pattern<Sample, Sample>) pattern;
    }

    public static void main(String[] arguments) throws Exception {
        samples = read(Path.of(arguments[1]));
        run(arguments[0]);
        warm = true;
        double seconds = run(arguments[0]);
        long sum = 0;
        for (Tuple4<Long, Integer, Integer, Integer> one : found) {
            long mixed = (one.f0 << 32 | (long) one.f1 << 4 | (long) one.f2 << 2 | one.f3) * MIX;
            sum += mixed ^ mixed >>> 32;
        }
        System.out.println("{\"seconds\": " + seconds + ", \"rows\": " + samples.length + ", \"transitions\": " + found.size()
                + ", \"sum\": " + Long.toUnsignedString(sum) + "}");
        System.exit(0);
    }
}
