//! The engine ends in the middle, in each of three ways, and another one goes on with what was durable.

use std::sync::Arc;

use countersign::domain::event::Event;
use countersign::*;

use super::gateway::{Asked, Gateway, Reply};
use super::stage::{End, Stage, number};
use crate::door::{is_in, refused_step};
use crate::support::{check_laws, operator};

use Reply::{Fail, Take, TakeLater, TakeSilently};
use SmsDelivery::Delivered;
use SmsFailure::{Refused, Throttled, Unavailable};

const ENDS: [End; 3] = [End::Closed, End::Dropped, End::Killed];

struct Scene {
    stage: Stage,
    gateway: Arc<Gateway>,
    lee: PrincipalId,
    phone: Serial,
    attempt: AttemptId,
    sent: SmsSent,
}

impl Scene {
    /// A code that the gateway answers so.
    async fn answered(replies: impl IntoIterator<Item = Reply>) -> Self {
        let (stage, gateway) = Stage::with_one(Policy::classic()).await;
        let (lee, phone) = stage.person("lee", number(1)).await;
        gateway.next(replies);
        let (attempt, sent) = stage.awaited(&lee, &phone).await;
        stage.settle().await;
        Self { stage, gateway, lee, phone, attempt, sent }
    }

    fn state(&self) -> SmsState {
        self.stage.state(self.sent.challenge)
    }

    fn asked(&self) -> Vec<Asked> {
        self.gateway.asked_of(self.sent.challenge)
    }

    async fn taken(&self) {
        self.stage.run_until("taken", || self.state() == SmsState::Taken).await;
    }

    /// One code under one key, asked for so often, and good for one sign-in.
    async fn ends_well(&self, times: usize, end: End) {
        self.stage.pass_s(60).await;
        let asked = self.asked();
        assert_eq!(asked.len(), times, "{end:?}");
        assert!(asked.iter().all(|other| (other.key, &other.code) == (asked[0].key, &asked[0].code)), "{end:?}");
        let code = Code::parse(&asked[0].code).unwrap();
        let typed = self.stage.type_code(&self.lee, self.attempt, &self.phone, code.clone()).await.unwrap();
        assert!(is_in(&typed), "{end:?}");
        let next = self.stage.begin_sign_in(&self.lee).await;
        assert!(refused_step(&self.stage.type_code(&self.lee, next, &self.phone, code).await.unwrap()), "{end:?}");
        check_laws(&*self.stage.journal, &self.stage.policy);
    }
}

#[tokio::test]
async fn a_code_that_was_queued_and_not_tried_is_sent_once() {
    for end in ENDS {
        let (mut stage, gateway) = Stage::with_one(Policy::classic()).await;
        let (lee, phone) = stage.person("lee", number(1)).await;
        let (kim, kims) = stage.person("kim", number(2)).await;
        gateway.next([Fail(Throttled { retry_after: Some(std::time::Duration::from_secs(20)) })]);
        let (_, _others) = stage.awaited(&kim, &kims).await;
        stage.settle().await;
        let (attempt, sent) = stage.awaited(&lee, &phone).await;
        stage.settle().await;
        assert_eq!((stage.state(sent.challenge), stage.message(sent.challenge).submits), (SmsState::Waiting, 0));
        stage.reopen(end).await;
        let scene = Scene { stage, gateway, lee, phone, attempt, sent };
        scene.taken().await;
        // An engine that is dropped in the middle of a try does not hear how it ended.
        let times = if matches!(end, End::Closed) { 1 } else { scene.asked().len().clamp(1, 2) };
        scene.ends_well(times, end).await;
    }
}

#[tokio::test]
async fn a_code_that_waits_for_its_next_try_is_tried_again() {
    for end in ENDS {
        let mut scene = Scene::answered([Fail(Unavailable), Fail(Unavailable)]).await;
        assert_eq!(scene.state(), SmsState::Waiting);
        scene.stage.reopen(end).await;
        scene.taken().await;
        scene.ends_well(3, end).await;
    }
}

/// Whether the gateway took it, nobody knows: it is asked once more, under the same key, when the lease is over.
#[tokio::test]
async fn a_try_that_was_broken_off_is_repeated_once() {
    for end in ENDS {
        for reply in [TakeLater, TakeSilently, Reply::Hang] {
            let mut scene = Scene::answered([reply]).await;
            assert_eq!(scene.state(), SmsState::Submitting);
            if end == End::Closed {
                // It waits for the answer as long as the route says.
                scene.stage.reopen(end).await;
                scene.taken().await;
                scene.ends_well(2, end).await;
                continue;
            }
            for _ in 0..3 {
                scene.stage.reopen(end).await;
                scene.stage.settle().await;
                assert_eq!(
                    (scene.state(), scene.asked().len()),
                    (SmsState::Submitting, 1),
                    "not before the lease is over"
                );
            }
            scene.taken().await;
            let asked = scene.asked();
            assert!(asked[1].at.0 - asked[0].at.0 >= 10_000, "{end:?}");
            scene.ends_well(2, end).await;
        }
    }
}

#[tokio::test]
async fn an_engine_that_dies_in_every_try_pays_for_two_and_gives_up() {
    for end in ENDS {
        let mut scene = Scene::answered([TakeSilently; 10]).await;
        for _ in 0..5 {
            scene.stage.reopen(end).await;
            scene.stage.pass_s(16).await;
        }
        assert_eq!(scene.state(), SmsState::Dropped(SmsDropReason::Unknown), "{end:?}");
        scene.ends_well(2, end).await;
    }
}

#[tokio::test]
async fn a_code_that_was_taken_is_not_sent_again_and_its_receipt_is_still_its() {
    for end in ENDS {
        let mut scene = Scene::answered([Take]).await;
        scene.stage.reopen(end).await;
        assert_eq!(scene.state(), SmsState::Taken);
        scene.gateway.report(&scene.asked()[0].name, Delivered);
        scene.stage.until("reported", || scene.state() == SmsState::Reported(Delivered)).await;
        scene.stage.reopen(end).await;
        scene.gateway.report(&scene.asked()[0].name, Delivered);
        scene.stage.settle().await;
        assert_eq!(scene.stage.recorded(|event| matches!(event, Event::SmsReported(_))), 1);
        scene.ends_well(1, end).await;
    }
}

#[tokio::test]
async fn what_was_given_up_stays_so_until_somebody_wants_it_sent() {
    for end in ENDS {
        let mut scene = Scene::answered([Fail(Refused)]).await;
        let dropped = SmsState::Dropped(SmsDropReason::Refused);
        scene.stage.reopen(end).await;
        scene.stage.pass_s(30).await;
        assert_eq!((scene.state(), scene.asked().len()), (dropped, 1));
        scene.gateway.next([Fail(Unavailable)]);
        scene.stage.engine.redrive_sms(operator(), &scene.lee, scene.sent.challenge).await.unwrap();
        scene.stage.settle().await;
        scene.stage.reopen(end).await;
        scene.taken().await;
        scene.ends_well(3, end).await;
    }
}

#[tokio::test]
async fn nothing_is_sent_by_an_engine_that_opens_too_late() {
    for end in ENDS {
        for replies in [vec![Fail(Unavailable)], vec![TakeSilently]] {
            let mut scene = Scene::answered(replies).await;
            scene.stage.reopen_after(end, 300_000).await;
            scene.stage.run_until("given up", || matches!(scene.state(), SmsState::Dropped(_))).await;
            assert_eq!(scene.state(), SmsState::Dropped(SmsDropReason::Expired), "{end:?}");
            assert_eq!(scene.asked().len(), 1);
        }
    }
}

#[tokio::test]
async fn what_became_worthless_before_the_end_is_not_sent_after_it() {
    for end in ENDS {
        let mut scene = Scene::answered([Fail(Unavailable)]).await;
        scene.stage.engine.end_sign_ins(operator(), &scene.lee).await.unwrap();
        scene.stage.reopen(end).await;
        scene.stage.run_until("given up", || matches!(scene.state(), SmsState::Dropped(_))).await;
        assert_eq!(scene.state(), SmsState::Dropped(SmsDropReason::Void), "{end:?}");
        assert_eq!(scene.asked().len(), 1);
    }
}

/// Everything that is counted is counted again alike.
#[tokio::test]
async fn reports_are_the_same_after_a_restart() {
    for end in ENDS {
        let replies = [Fail(Unavailable), TakeSilently, Take, Fail(Refused)];
        let mut scene = Scene::answered(replies).await;
        scene.taken().await;
        let code = scene.stage.code_of(scene.sent.challenge).unwrap();
        assert!(is_in(&scene.stage.type_code(&scene.lee, scene.attempt, &scene.phone, code).await.unwrap()));
        scene.stage.pass_s(30).await;
        let (_, refused) = scene.stage.awaited(&scene.lee, &scene.phone).await;
        scene.stage.until("refused", || scene.stage.state(refused.challenge).is_given_up()).await;
        let seen = |stage: &Stage| {
            let report = stage.engine.sms_report(None);
            (report.lines, report.blocked, report.spent_micros, stage.engine.sms_messages(stage.account, false, 100))
        };
        let before = seen(&scene.stage);
        assert_eq!((before.0[0].taken, before.0[0].used, before.0[0].unknown, before.0[0].dropped), (2, 2, 1, 1));
        scene.stage.reopen(end).await;
        assert_eq!(seen(&scene.stage), before, "{end:?}");
    }
}
