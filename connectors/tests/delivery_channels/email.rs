//! Mails over SMTP, at a strict server: what arrives, to whom, how often, and over what.

use super::smtp_server::{Options, SmtpServer};
use super::support::{AT, Scene, eventually, firing, resolved};
use deskstream_schemas::*;

const LOGIN: Option<(&str, &str)> = Some(("deskstream", "open sesame"));

/// A scene with a mail channel to that server.
async fn scene(prefix: &'static str, options: Options, tls: &str) -> (Scene, SmtpServer) {
    let server = SmtpServer::start(options.clone()).await;
    let mut scene = Scene::new(prefix).await;
    let password = scene.secret("smtp", "open sesame");
    let ca = scene.directory.path().join("ca.pem");
    std::fs::write(&ca, &server.certificate).unwrap();
    scene.channels = format!(
        "[alerts.channels.mail]\nkind = \"email\"\nserver = \"localhost\"\nport = {}\ntls = \"{tls}\"\n\
         from = \"Deskstream <alerts@example.com>\"\nto = [\"ann@example.org\", \"Bob <bob@example.org>\"]\n",
        server.port
    );
    if tls != "none" {
        scene.channels += &format!("ca = \"{}\"\n", ca.display());
    }
    if options.login.is_some() {
        scene.channels += &format!("user = \"deskstream\"\npassword = \"{password}\"\n");
    }
    (scene, server)
}

/// No address of a person may be told.
fn assert_discreet(told: &impl std::fmt::Debug) {
    let told = format!("{told:?}");
    assert!(!told.contains("example.org") && !told.contains("sesame"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_episode_is_a_conversation_over_starttls() {
    let options = Options { login: LOGIN, ..Options::default() };
    let (scene, server) = scene("mail", options, "starttls").await;
    let run = scene.run().await;
    let alert = Alert {
        summary: ".\r\n.hidden dots\r\n. and ünïcode".into(),
        ..firing("error-rate", "acme", AT, &["mail"])
    };
    run.tell(&alert).await;
    run.tell(&resolved(&alert)).await;
    let outcomes = run.outcomes(2).await;
    assert!(
        outcomes.iter().all(|o| o.service == "email" && o.result == OutcomeResult::Applied),
        "{outcomes:?}"
    );
    assert!(outcomes.iter().all(|o| o.status == Some(250) && o.attempts == 1));

    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    for mail in &mails {
        assert!(mail.tls && mail.login);
        assert_eq!((mail.from.as_str(), mail.to.len()), ("alerts@example.com", 2));
        assert!(mail.text.contains("multipart/alternative") && mail.text.contains("text/html"));
    }
    let first = mails[0].header("Message-ID").unwrap();
    assert_eq!(mails[1].header("In-Reply-To"), Some(first));
    assert_eq!(mails[1].header("References"), Some(first));
    assert_eq!(server.offences(), Vec::<String>::new());
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_from_the_first_byte_and_none_on_this_machine() {
    for (prefix, tls) in [("mail-implicit", "implicit"), ("mail-none", "none")] {
        let options = Options { implicit: tls == "implicit", plain: tls == "none", login: None };
        let (scene, server) = scene(prefix, options, tls).await;
        let run = scene.run().await;
        run.tell(&firing("error-rate", "acme", AT, &["mail"])).await;
        run.outcomes(1).await;
        assert_eq!(server.mails().iter().map(|mail| mail.tls).collect::<Vec<_>>(), [tls == "implicit"]);
        assert_eq!(server.offences(), Vec::<String>::new());
        run.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_strips_starttls_gets_nothing() {
    let options = Options { plain: true, login: LOGIN, ..Options::default() };
    let (scene, server) = scene("mail-stripped", options, "starttls").await;
    let run = scene.run().await;
    run.tell(&firing("error-rate", "acme", AT, &["mail"])).await;
    eventually("some tries", || (server.sessions() >= 4).then_some(())).await;
    assert_eq!(server.mails(), []);
    assert_eq!(server.offences(), Vec::<String>::new(), "neither mail nor password went out in the clear");
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_another_certificate_gets_nothing() {
    let options = Options { login: LOGIN, ..Options::default() };
    let (scene, server) = scene("mail-certificate", options.clone(), "starttls").await;
    let another = SmtpServer::start(options).await;
    std::fs::write(scene.directory.path().join("ca.pem"), &another.certificate).unwrap();
    let run = scene.run().await;
    run.tell(&firing("error-rate", "acme", AT, &["mail"])).await;
    eventually("some tries", || (server.sessions() >= 3).then_some(())).await;
    assert_eq!(server.mails(), []);
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_off_is_tried_again_and_a_lost_answer_repeats_the_same_message() {
    let (scene, server) = scene("mail-later", Options::default(), "starttls").await;
    server.fault("EHLO", None);
    server.fault("MAIL", Some("451 4.3.0 try again"));
    server.fault("RCPT TO:<bob", Some("450 4.2.1 greylisted"));
    let run = scene.run().await;
    let alert = firing("error-rate", "acme", AT, &["mail"]);
    run.tell(&alert).await;
    let outcomes = run.outcomes(1).await;
    assert_eq!((outcomes[0].result, outcomes[0].attempts), (OutcomeResult::Applied, 4));
    let to: Vec<_> = server.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, [vec!["ann@example.org".to_owned()], vec!["bob@example.org".to_owned()]], "once each");

    server.fault(".", Some("452 4.3.1 disk full"));
    server.fault(".", None);
    run.tell(&resolved(&alert)).await;
    run.outcomes(2).await;
    let mails = server.mails();
    assert_eq!(mails.len(), 4, "kept before the answer was lost, and again");
    assert_eq!(mails[2].header("Message-ID"), mails[3].header("Message-ID"));
    assert!(!mails[2].text.contains("Repeat") && mails[3].text.contains("Repeat"));
    assert_eq!(server.offences(), Vec::<String>::new());
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_rejected_but_one_bad_address_silences_nobody() {
    let (scene, server) = scene("mail-refused", Options::default(), "starttls").await;
    server.fault("RCPT TO:<ann", Some("550 5.1.1 no such user ann@example.org"));
    let run = scene.run().await;
    run.tell(&firing("one", "acme", AT, &["mail"])).await;
    let outcomes = run.outcomes(1).await;
    assert_eq!((outcomes[0].result, outcomes[0].attempts), (OutcomeResult::Applied, 1));
    assert_eq!(server.mails()[0].to, ["bob@example.org"]);

    server.fault("RCPT", Some("550 5.1.1 no such user ann@example.org"));
    server.fault("RCPT", Some("550 5.1.1 no such user bob@example.org"));
    run.tell(&firing("two", "acme", AT, &["mail"])).await;
    assert_rejected(&run.outcomes(2).await, "two", 550);
    server.fault(".", Some("554 5.7.1 looks like spam to bob@example.org"));
    run.tell(&firing("three", "acme", AT, &["mail"])).await;
    let outcomes = run.outcomes(3).await;
    assert_rejected(&outcomes, "three", 554);
    assert_eq!(server.mails().len(), 1);
    let letters = run.read(Topic::DeadLetter, 2, |_: &DeadLetter| true).await;
    assert_discreet(&(outcomes, letters));
    run.stop().await;
}

fn assert_rejected(outcomes: &[Outcome], rule: &str, code: i32) {
    let outcome = outcomes.iter().find(|o| o.subject.contains(&format!("/{rule}/"))).unwrap();
    assert_eq!((outcome.result, outcome.status), (OutcomeResult::Rejected, Some(code)), "{rule}");
    assert!(outcome.detail.contains(&code.to_string()), "{rule}: {}", outcome.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_rejected() {
    let options = Options { login: Some(("deskstream", "another")), ..Options::default() };
    let (scene, server) = scene("mail-password", options, "starttls").await;
    let run = scene.run().await;
    run.tell(&firing("error-rate", "acme", AT, &["mail"])).await;
    let outcomes = run.outcomes(1).await;
    assert_rejected(&outcomes, "error-rate", 535);
    let letters = run.read(Topic::DeadLetter, 1, |_: &DeadLetter| true).await;
    assert!(letters[0].fix.contains("password"));
    assert_discreet(&(outcomes, letters));
    assert_eq!(server.mails(), []);
    run.stop().await;
}
