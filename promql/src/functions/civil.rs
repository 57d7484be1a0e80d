//! The proleptic Gregorian calendar in UTC, for any number of seconds.
//!
//! Numbers that no calendar holds (NaN, infinities, beyond 64 bits) become the least `i64`, as Go's
//! conversion makes them on amd64, and wrap around as in Go's `time` package.

const DAYS_PER_ERA: u64 = 146_097;
/// Eras (400 years) from the first day counted, the first of March of a year divisible by 400, to the
/// year 0: as many as in Go, so that wrapping around shows the same dates.
const ERAS: u64 = 730_692_556;
const SECONDS_PER_DAY: u64 = 86_400;
/// Seconds from the first day counted to 1970-01-01.
const TO_UNIX: u64 = (ERAS * DAYS_PER_ERA + 719_468) * SECONDS_PER_DAY;

/// A moment, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    days: u64,
    second_of_day: u64,
}

impl Civil {
    /// The moment `seconds` after 1970-01-01; the fraction is cut off towards zero.
    #[inline]
    pub(crate) fn from_seconds(seconds: f64) -> Self {
        // Beyond 64 bits, and NaN: what amd64 converts to.
        let fits = seconds >= i64::MIN as f64 && seconds < -(i64::MIN as f64);
        let whole = if fits { seconds as i64 } else { i64::MIN };
        let counted = TO_UNIX.wrapping_add_signed(whole);
        Self { days: counted / SECONDS_PER_DAY, second_of_day: counted % SECONDS_PER_DAY }
    }

    /// 0 to 23.
    pub(crate) fn hour(self) -> u64 {
        self.second_of_day / 3600
    }

    /// 0 to 59.
    pub(crate) fn minute(self) -> u64 {
        self.second_of_day % 3600 / 60
    }

    /// 0 (Sunday) to 6.
    pub(crate) fn weekday(self) -> u64 {
        // The first of March of an era's first year is a Wednesday.
        (self.days + 3) % 7
    }

    /// Year, month (1 to 12) and day (1 to 31).
    pub(crate) fn date(self) -> (i64, u64, u64) {
        let era = self.days / DAYS_PER_ERA;
        let day = self.days % DAYS_PER_ERA;
        // Years are counted from March here, so that the leap day is the last of its year.
        let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = (era as i64 - ERAS as i64) * 400 + year_of_era as i64 + i64::from(month <= 2);
        (year, month, day_of_month)
    }

    /// 1 to 366.
    pub(crate) fn day_of_year(self) -> u64 {
        let (year, month, day) = self.date();
        (1..month).map(|month| days_in_month(year, month)).sum::<u64>() + day
    }

    /// 28 to 31.
    pub(crate) fn days_in_month(self) -> u64 {
        let (year, month, _) = self.date();
        days_in_month(year, month)
    }
}

fn days_in_month(year: i64, month: u64) -> u64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Datelike, Timelike};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_days() {
        let date = |seconds: f64| Civil::from_seconds(seconds).date();
        assert_eq!(date(0.0), (1970, 1, 1));
        assert_eq!(date(-1.0), (1969, 12, 31));
        assert_eq!(date(951_782_400.0), (2000, 2, 29));
        assert_eq!(date(1_456_790_399.0), (2016, 2, 29));
        assert_eq!(date(1_456_790_400.0), (2016, 3, 1));
        // Cut off towards zero, as a conversion to an integer does.
        assert_eq!(date(-0.5), (1970, 1, 1));
        // time.Unix(int64(f), 0).UTC() in Go.
        assert_eq!(date(-1e18), (-31_688_736_537, 3, 10));
        assert_eq!(date(9.2e18), (291_536_396_232, 8, 31));
        assert_eq!(date(f64::NAN), (292_277_026_596, 12, 4));
        assert_eq!(Civil::from_seconds(f64::NAN).weekday(), 0);
        assert_eq!(Civil::from_seconds(f64::INFINITY), Civil::from_seconds(f64::NAN));
    }

    proptest! {
        #[test]
        fn equal_to_chrono(seconds in -60_000_000_000i64..250_000_000_000) {
            let expected = DateTime::from_timestamp(seconds, 0).unwrap();
            let civil = Civil::from_seconds(seconds as f64);
            let (year, month, day) = civil.date();
            prop_assert_eq!(year, i64::from(expected.year()));
            prop_assert_eq!(month, u64::from(expected.month()));
            prop_assert_eq!(day, u64::from(expected.day()));
            prop_assert_eq!(civil.day_of_year(), u64::from(expected.ordinal()));
            prop_assert_eq!(civil.weekday(), u64::from(expected.weekday().num_days_from_sunday()));
            prop_assert_eq!(civil.hour(), u64::from(expected.hour()));
            prop_assert_eq!(civil.minute(), u64::from(expected.minute()));
            let month_days = expected.date_naive().num_days_in_month();
            prop_assert_eq!(civil.days_in_month(), u64::from(month_days));
        }
    }
}
