//! What is asked of the processes, and what they answer.

use std::time::Instant;

use engine::model::Labels;
use serde_json::Value;

use super::answers::{Matrix, matrix};
use super::place::{Place, Role, WITHIN, now};

/// What the querier answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The time that it was asked for, in ms.
    pub(super) time: i64,
    pub(super) matrix: Matrix,
    /// Whether it knew all endpoints and warned of nothing.
    pub(super) whole: bool,
}

impl Place {
    /// Every sample since the beginning up to `time`, of the querier. With `only` it asks these alone.
    pub(super) async fn ask(
        &self,
        time: i64,
        dedup: bool,
        only: Option<&[Role]>,
    ) -> Option<Answer> {
        let addresses = only.map(|roles| {
            let addresses = roles.iter().map(|role| self.grpc[role.at()].to_string());
            format!("{{__address__=~\"{}\"}}", addresses.collect::<Vec<_>>().join("|"))
        });
        let dedup = dedup.to_string();
        let mut parameters = vec![("dedup", dedup.as_str())];
        parameters.extend(addresses.as_deref().map(|only| ("storeMatch[]", only)));
        let json = self.everything(Role::Query, time, &parameters).await?;
        (json["status"] == "success").then(|| Answer {
            time,
            matrix: matrix(&json["data"], &Labels::empty()),
            whole: json["warnings"].is_null(),
        })
    }

    async fn everything(&self, role: Role, time: i64, more: &[(&str, &str)]) -> Option<Value> {
        let query = format!("{{__name__=~\".+\"}}[{}ms]", time - self.began + 60_000);
        let time = format!("{}.{:03}", time / 1_000, time % 1_000);
        let mut parameters = vec![("query", query.as_str()), ("time", &time)];
        parameters.extend(more);
        self.api(role, "/api/v1/query", &parameters).await
    }

    /// Asks the querier, whoever else is there, if it answers.
    pub(super) async fn ask_if_ready(&self) -> Option<Answer> {
        let knows_all = self.knows_all().await;
        let mut answer = self.ask(now(), false, None).await?;
        answer.whole &= knows_all;
        Some(answer)
    }

    /// What the querier and, apart, both Prometheus answer for one time, when no scrape of that time
    /// is still on its way.
    pub(super) async fn settled(&self, dedup: bool) -> (Matrix, [Matrix; 2]) {
        let deadline = Instant::now() + WITHIN;
        loop {
            let time = now();
            let before = self.of_prometheus(time).await;
            let answer = self.ask(time, dedup, None).await.expect("the querier answers");
            if before == self.of_prometheus(time).await {
                assert!(answer.whole, "an answer with warnings");
                return (answer.matrix, before);
            }
            assert!(Instant::now() < deadline, "the scrapes of a time do not come to an end");
        }
    }

    async fn of_prometheus(&self, time: i64) -> [Matrix; 2] {
        let mut all = Vec::new();
        for replica in 0..2 {
            let json = self.everything(Role::Prometheus(replica), time, &[]).await;
            let json = json.expect("Prometheus answers");
            assert_eq!(json["status"], "success", "{json}");
            all.push(matrix(&json["data"], &self.external(replica)));
        }
        all.try_into().expect("two replicas")
    }
}
