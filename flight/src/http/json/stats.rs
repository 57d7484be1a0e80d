//! `stats` of an answer (`BuiltinStats` in util/stats/query_stats.go).

use std::time::Duration;

use promql::query::{SampleStats, StepSamples, Timings};

/// The JSON of where time went, after `queued` of waiting, and of the samples looked at, those of each
/// step too if `per_step`.
pub fn stats(queued: Duration, timings: Timings, samples: &SampleStats, per_step: bool) -> String {
    let Timings { preparation, execution, sorting } = timings;
    let evaluation = preparation + execution + sorting;
    let timings = [
        ("evalTotalTime", evaluation),
        ("resultSortTime", sorting),
        ("queryPreparationTime", preparation),
        ("innerEvalTime", execution),
        ("execQueueTime", queued),
        ("execTotalTime", queued + evaluation),
    ]
    .map(|(name, time)| format!("\"{name}\":{}", seconds(time)))
    .join(",");
    let steps = |name: &str, samples: &SampleStats, of: fn(&StepSamples) -> u64| {
        if !per_step {
            return String::new();
        }
        let step = |step: &StepSamples| format!("[{},{}]", step.time as f64 / 1000.0, of(step));
        let steps: Vec<String> = samples.steps.iter().map(step).collect();
        format!("\"{name}\":[{}],", steps.join(","))
    };
    let samples = [
        steps("totalQueryableSamplesPerStep", samples, |step| step.total),
        format!("\"totalQueryableSamples\":{},", samples.total()),
        steps("samplesReadPerStep", samples, |step| step.read),
        format!("\"samplesRead\":{},", samples.read()),
        format!("\"seriesTouched\":{},\"peakSamples\":{}", samples.series, samples.peak),
    ]
    .concat();
    format!("{{\"timings\":{{{timings}}},\"samples\":{{{samples}}}}}")
}

/// Seconds as Go's JSON has floats.
fn seconds(duration: Duration) -> String {
    match duration.as_secs_f64() {
        small if small > 0.0 && small < 1e-6 => format!("{small:e}"),
        seconds => seconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_prometheus() {
        let timings = Timings {
            preparation: Duration::from_micros(1_500),
            execution: Duration::from_secs(2),
            sorting: Duration::ZERO,
        };
        let steps = vec![
            StepSamples { time: 1_500, total: 5, read: 5 },
            StepSamples { time: 2_000, total: 4, read: 1 },
        ];
        let samples = SampleStats { steps, series: 3, peak: 8 };
        let queued = Duration::from_nanos(29);
        let timings_json = concat!(
            r#"{"timings":{"evalTotalTime":2.0015,"resultSortTime":0,"queryPreparationTime":0.0015,"#,
            r#""innerEvalTime":2,"execQueueTime":2.9e-8,"execTotalTime":2.001500029},"samples":{"#
        );
        assert_eq!(
            stats(queued, timings, &samples, false),
            [
                timings_json,
                r#""totalQueryableSamples":9,"samplesRead":6,"seriesTouched":3,"peakSamples":8}}"#
            ]
            .concat()
        );
        assert_eq!(
            stats(queued, timings, &samples, true),
            [
                timings_json,
                r#""totalQueryableSamplesPerStep":[[1.5,5],[2,4]],"totalQueryableSamples":9,"#,
                r#""samplesReadPerStep":[[1.5,5],[2,1]],"samplesRead":6,"seriesTouched":3,"#,
                r#""peakSamples":8}}"#
            ]
            .concat()
        );
    }
}
