//! What waits for one target: what goes next and when, what goes together, what is tried again and what is given up.
//!
//! A dead target keeps only its own notices waiting, within bounds. Too many at once for a person become one message. Whatever becomes of
//! a notice is told once for good ([`Fate::Sent`], [`Fate::Failed`]) and stays visible until then.

use super::Notice;
use crate::Timestamp;
use std::{collections::VecDeque, time::Duration};

/// Notices that wait for one target: more than a flood of ten minutes brings, some 5 MB.
pub const MOST_WAITING: usize = 10_000;
/// Notices in one message. More wait for the next.
pub const MOST_TOGETHER: usize = 1_000;
/// So many messages in [`GROUP_SPAN`] go one by one; then they are grouped.
pub const GROUP_AFTER: usize = 5;
/// The span in which messages are counted.
pub const GROUP_SPAN: Duration = Duration::from_secs(120);
/// How long a group is collected.
pub const GROUP_WAIT: Duration = Duration::from_secs(30);
/// Wait before the second attempt; doubles for each further one.
pub const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait between two attempts.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Longest wait that a target may ask for.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(900);
/// Attempts before a notice is given up: with the longest waits, a quarter of an hour.
pub const MOST_ATTEMPTS: u32 = 20;
/// A notice that could not be delivered for so long is history, and told to nobody any more.
pub const OLDEST: Duration = Duration::from_secs(3_600);

/// What waits for one target.
#[derive(Debug)]
pub struct Outbox {
    groups: bool,
    waiting: VecDeque<Notice>,
    /// When the last messages went.
    recent: VecDeque<Timestamp>,
    current: Option<Delivery>,
    /// When the current one is tried again; none while it is under way.
    again: Option<Timestamp>,
    told: Vec<Told>,
    /// How many were given up without a word of their own, and the last of them.
    dropped: Option<(usize, Notice)>,
}

/// One message under way: one notice, or several of a flood.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// What it tells, oldest first; never empty.
    pub notices: Vec<Notice>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Deliver this, then say what came of it.
    Deliver(Delivery),
    /// Nothing before that instant, or before something is offered.
    Wait(Option<Timestamp>),
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Attempt {
    /// The target took it.
    Taken,
    /// It may take it later: not before `after`, if it said so.
    Later {
        /// Why not now.
        reason: String,
        /// How long it wants to be left alone.
        after: Option<Duration>,
    },
    /// It will never take it.
    Refused(String),
}

/// What became of a notice.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The notice.
    pub notice: Notice,
    /// What became of it.
    pub fate: Fate,
    /// Why; of a sent one, with how many others it went.
    pub reason: String,
}

/// What becomes of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The target took it.
    Sent,
    /// It is tried again.
    Retrying,
    /// It is given up.
    Failed,
}

impl Fate {
    /// The word in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Retrying => "retrying",
            Self::Failed => "failed",
        }
    }
}

impl Outbox {
    /// An empty outbox. `groups`: whether many notices become one message.
    pub fn new(groups: bool) -> Self {
        Self {
            groups,
            waiting: VecDeque::new(),
            recent: VecDeque::new(),
            current: None,
            again: None,
            told: Vec::new(),
            dropped: None,
        }
    }

    /// Takes a notice. One that waits or is under way already is not taken twice; one too many is given up at once, and when very
    /// many are, the rest is told as a number.
    pub fn offer(&mut self, notice: Notice) {
        let same = |other: &Notice| other.event == notice.event;
        if self.waiting.iter().rev().take(MOST_TOGETHER).any(same)
            || self.current.iter().flat_map(|current| &current.notices).any(same)
        {
            return;
        }
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(notice);
        } else if self.told.len() < MOST_WAITING {
            let reason = format!("{MOST_WAITING} notifications were waiting for this target already");
            self.told.push(Told { notice, fate: Fate::Failed, reason });
        } else {
            self.dropped = Some((self.dropped.take().map_or(1, |(count, _)| count + 1), notice));
        }
    }

    /// How many wait or are under way.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.current.as_ref().map_or(0, |current| current.notices.len())
    }

    /// Whether nothing waits and nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What became of notices since this was asked last.
    pub fn told(&mut self) -> Vec<Told> {
        let mut told = std::mem::take(&mut self.told);
        told.extend(self.dropped.take().map(|(count, notice)| Told {
            notice,
            fate: Fate::Failed,
            reason: format!("it and {} others: {MOST_WAITING} notifications were waiting for this target already", count - 1),
        }));
        told
    }

    /// Whether [`Outbox::told`] has something to say.
    pub fn has_told(&self) -> bool {
        !self.told.is_empty() || self.dropped.is_some()
    }

    /// What to do now. What was given to be delivered must be answered by [`Outbox::done`] before anything else goes.
    pub fn next(&mut self, now: Timestamp) -> Next {
        self.give_up_old(now);
        if let Some(current) = &self.current {
            return match self.again {
                // Further ahead than anybody may ask for: the clock was set back since.
                Some(again) if again > now && again <= now + LONGEST_RETRY_AFTER => Next::Wait(Some(again)),
                Some(_) => {
                    self.again = None;
                    Next::Deliver(current.clone())
                }
                None => Next::Wait(None),
            };
        }
        while self.recent.front().is_some_and(|sent| now.since(*sent) >= GROUP_SPAN || *sent > now) {
            self.recent.pop_front();
        }
        let many = self.recent.len() >= GROUP_AFTER || self.waiting.len() > GROUP_AFTER;
        let together = match (self.waiting.len(), self.groups && many) {
            (0, _) => return Next::Wait(None),
            (_, false) => 1,
            (all, true) => {
                // The first of a flood went alone; the rest is collected for a while.
                let ready = self.recent.back().map(|last| *last + GROUP_WAIT).filter(|ready| *ready > now);
                if let Some(ready) = ready.filter(|_| all < MOST_TOGETHER) {
                    return Next::Wait(Some(ready));
                }
                all.min(MOST_TOGETHER)
            }
        };
        let delivery = Delivery { notices: self.waiting.drain(..together).collect(), attempt: 1 };
        self.current = Some(delivery.clone());
        Next::Deliver(delivery)
    }

    /// Says what came of the delivery under way.
    pub fn done(&mut self, now: Timestamp, attempt: Attempt) {
        let Some(current) = self.current.take() else { return };
        let (reason, after) = match attempt {
            Attempt::Taken => {
                self.recent.push_back(now);
                let others = current.notices.len() - 1;
                let reason = if others == 0 { String::new() } else { format!("in one message with {others} others") };
                return self.tell(current.notices, Fate::Sent, &reason);
            }
            Attempt::Refused(reason) => return self.tell(current.notices, Fate::Failed, &reason),
            Attempt::Later { reason, after } => (reason, after),
        };
        if current.attempt >= MOST_ATTEMPTS {
            let reason = format!("given up after {MOST_ATTEMPTS} attempts: {reason}");
            return self.tell(current.notices, Fate::Failed, &reason);
        }
        // Told now and then, not each time: a dead target must not fill the history.
        if current.attempt.is_power_of_two() {
            let first = current.notices.iter().take(1).cloned().collect();
            self.tell(first, Fate::Retrying, &format!("attempt {}: {reason}", current.attempt));
        }
        let wait = match after {
            Some(after) => after.min(LONGEST_RETRY_AFTER),
            None => backoff(&current),
        };
        self.again = Some(now + wait);
        self.current = Some(Delivery { attempt: current.attempt + 1, ..current });
    }

    fn tell(&mut self, notices: Vec<Notice>, fate: Fate, reason: &str) {
        self.told.extend(notices.into_iter().map(|notice| Told { notice, fate, reason: reason.to_owned() }));
    }

    fn give_up_old(&mut self, now: Timestamp) {
        let old = |notice: &Notice| now.since(notice.time) > OLDEST;
        let mut late = Vec::new();
        if self.again.is_some()
            && let Some(current) = self.current.take_if(|current| current.notices.iter().all(old))
        {
            self.again = None;
            late.extend(current.notices);
        }
        while self.waiting.front().is_some_and(old) {
            late.extend(self.waiting.pop_front());
        }
        self.tell(late, Fate::Failed, "it could not be delivered in time");
    }
}

/// Doubles with each attempt, up to the longest; a fifth more or less, so that targets that failed together are not asked together.
fn backoff(delivery: &Delivery) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1 << (delivery.attempt - 1).min(16)).min(LONGEST_WAIT);
    let luck = delivery.notices.first().map_or(0, |notice| notice.event.0.as_bytes()[0]);
    doubled.mul_f64(0.8 + 0.4 * f64::from(luck) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventId, notice::NoticeAbout};

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_millis((seconds * 1000.0) as i64)
    }

    fn notice(name: &str, seconds: f64) -> Notice {
        Notice {
            time: at(seconds),
            target: "lead".into(),
            message: name.into(),
            asset_path: "Line 1".into(),
            detector: "hot".into(),
            event: EventId::from_name(name),
            about: NoticeAbout::default(),
        }
    }

    /// Runs a story: `5 offer a`, `5 next`, `6 ok`, `6 later 10`, `6 later`, `6 refused`; gives what happened.
    fn play(groups: bool, story: &str) -> String {
        let mut outbox = Outbox::new(groups);
        let mut said = Vec::new();
        for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let now = at(words[0].parse().unwrap());
            match words[1] {
                "offer" => words[2..].iter().for_each(|name| outbox.offer(notice(name, words[0].parse().unwrap()))),
                "next" => said.push(match outbox.next(now) {
                    Next::Deliver(delivery) => {
                        let names: Vec<&str> = delivery.notices.iter().map(|notice| &*notice.message).collect();
                        format!("{} deliver {} ({})", words[0], names.join(","), delivery.attempt)
                    }
                    Next::Wait(Some(until)) => format!("{} wait until {}", words[0], until.as_millis() as f64 / 1000.0),
                    Next::Wait(None) => format!("{} wait", words[0]),
                }),
                "ok" => outbox.done(now, Attempt::Taken),
                "refused" => outbox.done(now, Attempt::Refused("404".into())),
                "later" => {
                    let after = words.get(2).map(|seconds| Duration::from_secs(seconds.parse().unwrap()));
                    outbox.done(now, Attempt::Later { reason: "503".into(), after });
                }
                other => panic!("no verb {other}"),
            }
            said.extend(outbox.told().into_iter().map(|told| {
                let reason = if told.reason.is_empty() { String::new() } else { format!(" ({})", told.reason) };
                format!("{} {}{reason}", told.notice.message, told.fate.name())
            }));
        }
        said.join("\n")
    }

    #[track_caller]
    fn check(groups: bool, story: &str, expected: &str) {
        let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(play(groups, story), expected.join("\n"));
    }

    #[test]
    fn one_goes_after_the_other() {
        let story = "1 offer a b\n1 next\n1 next\n2 ok\n2 next\n3 ok\n3 next";
        check(true, story, "1 deliver a (1)\n1 wait\na sent\n2 deliver b (1)\nb sent\n3 wait");
    }

    #[test]
    fn the_same_notice_is_not_taken_twice() {
        check(
            true,
            "1 offer a a b\n1 next\n1 offer a\n2 ok\n2 next\n2 ok\n3 next",
            "1 deliver a (1)\na sent\n2 deliver b (1)\nb sent\n3 wait",
        );
    }

    #[test]
    fn a_flood_becomes_one_message() {
        let story = "1 offer a\n1 next\n1 ok\n2 offer b c d e f g\n2 next\n31 next\n31 ok\n32 offer h\n32 next\n32 ok";
        let expected = "1 deliver a (1)\na sent\n2 wait until 31\n31 deliver b,c,d,e,f,g (1)
            b sent (in one message with 5 others)\nc sent (in one message with 5 others)\nd sent (in one message with 5 others)
            e sent (in one message with 5 others)\nf sent (in one message with 5 others)\ng sent (in one message with 5 others)
            32 deliver h (1)\nh sent";
        check(true, story, expected);
    }

    #[test]
    fn many_messages_in_a_row_are_a_flood_too_until_it_is_over() {
        let singles: String = (0..5).map(|n| format!("{n} offer n{n}\n{n} next\n{n} ok\n")).collect();
        let story = format!("{singles}5 offer x\n5 next\n34 next\n34 ok\n200 offer y\n200 next\n200 ok");
        let played = play(true, &story);
        assert!(played.ends_with("5 wait until 34\n34 deliver x (1)\nx sent\n200 deliver y (1)\ny sent"), "{played}");
    }

    #[test]
    fn a_program_gets_each_of_them() {
        let played = play(false, "1 offer a b c d e f g h\n1 next\n1 ok\n1 next");
        assert_eq!(played, "1 deliver a (1)\na sent\n1 deliver b (1)");
    }

    #[test]
    fn a_target_in_trouble_is_asked_again_when_it_wants_to_be() {
        let story = "1 offer a\n1 next\n1 later 10\n2 next\n11 next\n11 later\n11 next";
        let played = play(true, story);
        let lines: Vec<&str> = played.lines().collect();
        let before = [
            "1 deliver a (1)",
            "a retrying (attempt 1: 503)",
            "2 wait until 11",
            "11 deliver a (2)",
            "a retrying (attempt 2: 503)",
        ];
        assert_eq!(lines[..5], before);
        let wait: f64 = lines[5].strip_prefix("11 wait until ").unwrap().parse().unwrap();
        assert!((11.8..=12.2).contains(&wait), "a second, a fifth more or less: {wait}");
        // A wish for a year is not heard.
        assert!(play(true, "1 offer a\n1 next\n1 later 31536000\n2 next").ends_with("2 wait until 901"));
    }

    #[test]
    fn what_cannot_be_delivered_is_given_up() {
        check(true, "1 offer a\n1 next\n1 refused\n1 next", "1 deliver a (1)\na failed (404)\n1 wait");
        let mut story = String::from("0 offer a\n");
        (1..=20).for_each(|n| story.push_str(&format!("{} next\n{} later\n", n * 100, n * 100)));
        let played = play(true, &story);
        assert!(played.ends_with("a failed (given up after 20 attempts: 503)"), "{played}");
        assert_eq!(played.matches("retrying").count(), 5, "1, 2, 4, 8 and 16");
        check(true, "0 offer a\n3601 next", "3601 wait\na failed (it could not be delivered in time)");
    }

    #[test]
    fn an_outbox_is_bounded_and_says_what_it_lost() {
        let mut outbox = Outbox::new(true);
        (0..MOST_WAITING + 3).for_each(|n| outbox.offer(notice(&n.to_string(), 0.0)));
        let told = outbox.told();
        assert_eq!((outbox.len(), told.len(), told[0].fate), (MOST_WAITING, 3, Fate::Failed));
        let Next::Deliver(first) = outbox.next(at(1.0)) else { panic!() };
        assert_eq!(first.notices.len(), MOST_TOGETHER);
        // Far too many at once: the last of them stands for those that are not told one by one.
        (0..MOST_WAITING + MOST_TOGETHER + 5).for_each(|n| outbox.offer(notice(&format!("more {n}"), 0.0)));
        let told = outbox.told();
        assert_eq!((told.len(), outbox.has_told()), (MOST_WAITING + 1, false));
        let last = told.last().unwrap();
        assert_eq!(&*last.notice.message, format!("more {}", MOST_WAITING + MOST_TOGETHER + 4));
        assert!(last.reason.starts_with("it and 4 others:"), "{}", last.reason);
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nothing_up_for_long() {
        let played = play(true, "1000 offer a\n1000 next\n1000 ok\n10 offer b\n10 next");
        assert!(played.ends_with("10 deliver b (1)"), "{played}");
        let played = play(true, "100000 offer a\n100000 next\n100000 later\n10 next\n10 later 900\n10 next\n910 next");
        assert!(played.contains("\n10 deliver a (2)\n"), "{played}");
        assert!(played.ends_with("\n10 wait until 910\n910 deliver a (3)"), "{played}");
    }
}
