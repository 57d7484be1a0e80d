//! Which resolutions may answer a request, and how far it looks back then.

use std::time::Duration;

use super::error::ApiError;
use super::settings::Settings;
use super::time::{from_nanos, parse_duration};

/// Thanos' parameter.
pub(super) const NAME: &str = "max_source_resolution";

/// The resolutions of downsampled samples.
const RESOLUTIONS: [Duration; 2] = [Duration::from_secs(300), Duration::from_secs(3600)];

/// The coarsest resolution that may answer, in whole ms: what is `given` as a parameter, or `auto`
/// where that says so or `--query.auto-downsampling` is given (`parseDownsamplingParamMillis`); else
/// raw samples alone.
pub(super) fn max_resolution(
    given: &str,
    settings: &Settings,
    auto: Duration,
) -> Result<Duration, ApiError> {
    let resolution = match given {
        "auto" => auto,
        "" if settings.auto_downsampling => auto,
        "" => Duration::ZERO,
        text => {
            let nanos = parse_duration(text)
                .map_err(|message| ApiError::thanos_parameter(NAME, message))?;
            if nanos < 0 {
                return Err(ApiError::bad_data(format!(
                    "negative '{NAME}' is not accepted. Try a positive integer"
                )));
            }
            from_nanos(nanos)
        }
    };
    Ok(Duration::from_millis(u64::try_from(resolution.as_millis()).unwrap_or(u64::MAX)))
}

impl Settings {
    /// How far an instant selector looks back when samples may be `max_resolution` apart: to the next
    /// coarser standard resolution at least (`LookbackDeltaFactory` in `cmd/thanos/query.go`).
    pub fn lookback_at(&self, max_resolution: Duration) -> Duration {
        if !self.dynamic_lookback {
            return self.lookback;
        }
        let [fine, coarse] = RESOLUTIONS;
        if max_resolution > fine.max(self.lookback) {
            coarse.max(self.lookback)
        } else if max_resolution > self.lookback {
            fine.max(self.lookback)
        } else {
            self.lookback
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;

    fn minutes(number: u64) -> Duration {
        Duration::from_secs(number * MINUTE)
    }

    /// Thanos' `TestLookbackDeltaFactory`.
    #[test]
    fn coarse_samples_are_looked_for_further_back() {
        for (lookback, resolution, expected) in [
            (0, 0, 0),
            (0, 5, 5),
            (0, 6, 60),
            (5, 0, 5),
            (5, 5, 5),
            (5, 6, 60),
            (5, 60, 60),
            (3, 3, 3),
            (3, 4, 5),
            (3, 5, 5),
            (3, 6, 60),
            (30, 5, 30),
            (30, 30, 30),
            (30, 59, 60),
            (60, 60, 60),
            (120, 90, 120),
        ] {
            let settings = Settings { lookback: minutes(lookback), ..Settings::new("x") };
            let got = settings.lookback_at(minutes(resolution));
            assert_eq!(got, minutes(expected), "{lookback} {resolution}");
            let fixed = Settings { dynamic_lookback: false, ..settings };
            assert_eq!(fixed.lookback_at(minutes(resolution)), minutes(lookback));
        }
    }

    /// Thanos' `TestParseDownsamplingParamMillis`, for steps of an hour.
    #[test]
    fn the_parameter_wins_over_the_flag() {
        let auto = minutes(60) / 5;
        for (automatic, given, expected) in [
            (false, "0s", Some(0)),
            (false, "5m", Some(300_000)),
            (false, "1h", Some(3_600_000)),
            (true, "", Some(720_000)),
            (true, "1m", Some(60_000)),
            (false, "", Some(0)),
            (false, "auto", Some(720_000)),
            (false, "300.0015", Some(300_001)),
            (true, "-1", None),
            (true, "x", None),
        ] {
            let settings = Settings { auto_downsampling: automatic, ..Settings::new("x") };
            let got = max_resolution(given, &settings, auto).ok().map(|r| r.as_millis());
            assert_eq!(got, expected, "{automatic} {given:?}");
        }
    }
}
