//! A connection over a clean line, on which answers are asked for: bytes go in, times come out.

use std::time::Duration;

use crate::network::path::Conditions;
use crate::network::stream::{Exchange, Plan};
use crate::network::tap::{Fate, Segment};
use crate::network::{Network, Side};

pub const ROUND_TRIP: Duration = Duration::from_millis(40);
pub const MTU_BYTES: usize = 1420;
pub const REQUEST_BYTES: u64 = 200;
/// Nothing lasts longer.
pub const PATIENCE: Duration = Duration::from_secs(400);
/// RFC 6298 §2: the first retransmission timeout, and the least of later ones.
pub const TIMEOUT: Duration = Duration::from_secs(1);

/// What the issue allows an answer's longest silence to be.
pub const SHORT: Duration = Duration::from_millis(4 * 40 + 300);

/// Answers that open the congestion window before anything is measured.
const WARM_UP_ANSWERS: u32 = 8;

/// How long an answer took, and the longest time in which nothing of it came.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    pub time: Duration,
    pub silence: Duration,
}

pub struct Line {
    pub network: Network,
    answer_bytes: u64,
    asked: u64,
}

impl Line {
    /// A line on which nothing has been sent, whose server gives answers of this length.
    pub fn new(answer_bytes: u64) -> Line {
        Line::of(Network::new(Conditions::clean(40), MTU_BYTES, 1).with_tap(), answer_bytes)
    }

    pub fn of(mut network: Network, answer_bytes: u64) -> Line {
        let exchange = Exchange { request_bytes: REQUEST_BYTES, answer_bytes };
        network.add_pair(Plan { answers: Some(exchange), ..Plan::SILENT });
        Line { network, answer_bytes, asked: 0 }
    }

    /// The same with a connection whose congestion window is open, and the place at which the next answer begins.
    pub fn warm(answer_bytes: u64) -> (Line, u32) {
        let mut line = Line::new(answer_bytes);
        line.connect();
        for _ in 0..WARM_UP_ANSWERS {
            line.ask();
            line.network.run_for(Duration::from_millis(300));
        }
        (line, WARM_UP_ANSWERS * answer_bytes as u32)
    }

    pub fn connect(&mut self) {
        self.network.connect(0, Plan::SILENT);
    }

    pub fn meddle(&mut self, rule: impl FnMut(&Segment) -> Fate + 'static) {
        self.network.meddle(rule);
    }

    /// Writes a request.
    pub fn request(&mut self) {
        self.asked += 1;
        let (now, asked) = (self.network.now, self.asked);
        self.network.change(0, Side::Client, 0, |stream| {
            stream.plan.write = asked * REQUEST_BYTES;
            stream.listen_from(now);
        });
    }

    /// Waits for the answers to all requests.
    pub fn wait(&mut self) -> Answer {
        let (start, bytes) = (self.network.now, self.asked * self.answer_bytes);
        let done = self.network.run_until(PATIENCE, |network| network.stream(0, Side::Client, 0).read >= bytes);
        let stream = self.network.stream(0, Side::Client, 0);
        assert!(done, "{} of {bytes} bytes: {:?}", stream.read, stream.failure);
        Answer { time: self.network.now - start, silence: stream.silence }
    }

    pub fn ask(&mut self) -> Answer {
        self.request();
        self.wait()
    }
}

/// Loses what the condition holds for, so many times.
pub fn lose(mut times: u32, condition: impl Fn(&Segment) -> bool + 'static) -> impl FnMut(&Segment) -> Fate + 'static {
    move |segment| match times > 0 && condition(segment) {
        true => {
            times -= 1;
            Fate::IsLost
        }
        false => Fate::Arrives,
    }
}

/// Fails if something took longer than it may.
#[track_caller]
pub fn within(most: Duration, time: Duration) {
    assert!(time <= most, "{} ms, and {} ms would be right", time.as_millis(), most.as_millis());
}
