"""The outbox: in the caller's transaction, once for each channel, again after failures and crashes, in order."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from tests.platform.notify.desk import Desk
from tests.platform.notify.receivers import mail_server, web_server

from holdfast.kernel.errors import Invalid
from holdfast.platform.notify import actions, rules, store
from holdfast.platform.notify.actions import channels as channel_actions
from holdfast.platform.notify.actions import outbox
from holdfast.platform.notify.model import ChannelConfig, DeliveryState, Outcome
from holdfast.platform.secrets import reads as secret_reads
from holdfast.platform.secrets.reads import sealing_key


def test_a_message_goes_out_with_the_transaction_that_made_it(desk: Desk) -> None:
    with web_server() as web:
        desk.hook(web.url())
        with suppress(RuntimeError), desk.database.transaction() as tx:
            actions.send(desk.ctx, tx, None, desk.message("m1"))
            raise RuntimeError("the caller thought better of it")
        desk.courier.deliver_due()
        assert web.hits == []
        desk.send(desk.message("m1"))
        assert desk.courier.deliver_due() == 1
        assert [hit.path for hit in web.hits] == ["/hook"]


def test_the_same_message_twice_is_sent_once(desk: Desk) -> None:
    with web_server() as web:
        desk.hook(web.url())
        first = desk.send(desk.message("m1"))
        assert [one.id for one in desk.send(desk.message("m1", title="another"))] == [one.id for one in first]
        desk.courier.deliver_due()
        assert desk.send(desk.message("m1"))[0].state is DeliveryState.DELIVERED
        assert desk.courier.deliver_due() == 0
        assert len(web.hits) == 1


def test_every_channel_or_the_chosen_ones_and_none_that_is_off(desk: Desk) -> None:
    with web_server() as web:
        one, two, off = (desk.hook(web.url(f"/{name}"), name) for name in ("one", "two", "off"))
        with desk.database.transaction() as tx:
            channel_actions.change_channel(
                desk.ctx, tx, sealing_key(desk.settings), off.id, name="off", config=off.config, enabled=False
            )
        desk.send(desk.message("all"))
        desk.send(desk.message("chosen"), two, off)
        while desk.courier.deliver_due():
            pass
        assert sorted(hit.path for hit in web.hits) == ["/one", "/two", "/two"]
        assert desk.send(desk.message("nobody"), off) == []
        assert one.id


def test_a_message_of_another_workspace_is_refused(desk: Desk) -> None:
    with pytest.raises(Invalid), desk.database.transaction() as tx:
        actions.send(desk.ctx, tx, None, desk.message("m1", workspace="ws_other"))


def test_failures_are_tried_again_later_and_later(desk: Desk) -> None:
    with web_server() as web:
        channel = desk.hook(web.url())
        sent = desk.send(desk.message("m1"))[0]
        waits = []
        for status in (500, 502, 429, 408, 425):
            web.answers.append((status, "not now", {}))
            assert desk.courier.deliver_due() == 1
            assert desk.courier.deliver_due() == 0, "not before its time"
            waits.append(desk.due_in(sent.id))
            assert desk.kept(channel).failing_since is not None
            assert f"{status} not now" in desk.kept(channel).failure
            desk.clock.move(seconds=waits[-1])
        assert waits == [5, 10, 20, 40, 80]
        desk.courier.deliver_due()
        stands, receipts = desk.delivery(sent.id)
        assert stands.state is DeliveryState.DELIVERED
        assert [one.status for one in receipts] == [500, 502, 429, 408, 425, 200]
        assert [one.attempt for one in receipts] == [1, 2, 3, 4, 5, 6]
        assert len({hit.headers["webhook-id"] for hit in web.hits}) == 1
        assert desk.kept(channel).failing_since is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 301])
def test_what_no_other_try_can_mend_fails_at_once(desk: Desk, status: int) -> None:
    with web_server() as web:
        desk.hook(web.url())
        web.answers.append((status, "no such hook", {}))
        sent = desk.send(desk.message("m1"))[0]
        desk.courier.deliver_due()
        stands, receipts = desk.delivery(sent.id)
        assert (stands.state, stands.error) == (DeliveryState.FAILED, f"{status} no such hook")
        assert [one.outcome for one in receipts] == [Outcome.REFUSED]
        desk.clock.move(days=2)
        assert desk.courier.deliver_due() == 0


def test_retry_after_is_honoured(desk: Desk) -> None:
    with web_server() as web:
        desk.hook(web.url())
        web.answers.append((429, "slow down", {"retry-after": "120"}))
        sent = desk.send(desk.message("m1"))[0]
        desk.courier.deliver_due()
        assert desk.due_in(sent.id) == 120


def test_it_is_given_up_after_a_day_and_says_so(desk: Desk) -> None:
    with web_server() as web:
        web.refuses = lambda: True
        channel = desk.hook(web.url())
        sent = desk.send(desk.message("m1"))[0]
        began = desk.clock()
        while desk.delivery(sent.id)[0].state is not DeliveryState.FAILED:
            desk.courier.deliver_due()
            desk.clock.move(minutes=15)
        assert timedelta(hours=23) < desk.clock() - began <= timedelta(hours=25)
        assert desk.delivery(sent.id)[0].error.startswith("given up after")
        assert desk.kept(channel).failing_since == began


def test_a_closed_door_is_tried_again(desk: Desk) -> None:
    with web_server() as web:
        port = web.port
    desk.hook(f"http://127.0.0.1:{port}/hook")
    desk.mail(port)
    for one in desk.send(desk.message("m1")):
        desk.courier.deliver_due()
        stands, receipts = desk.delivery(one.id)
        assert stands.state is DeliveryState.WAITING
        assert "refused" in receipts[0].answer.lower()


def test_a_process_that_ended_leaves_it_to_the_next(desk: Desk) -> None:
    with web_server() as web:
        desk.hook(web.url())
        sent = desk.send(desk.message("m1"))[0]
        with desk.database.transaction() as tx:
            (lost,) = outbox.claim(tx, desk.clock(), 8)
        assert desk.courier.deliver_due() == 0, "somebody may be sending it"
        desk.clock.move(seconds=rules.LEASE.total_seconds())
        desk.courier.deliver_due()
        stands, receipts = desk.delivery(sent.id)
        assert stands.state is DeliveryState.DELIVERED
        assert [one.outcome for one in receipts] == [Outcome.UNKNOWN, Outcome.DELIVERED]
        assert web.hits[0].headers["webhook-id"] == sent.id
        # the one that was slow, not dead, comes back after all
        with desk.database.transaction() as tx:
            late = outbox.finish(
                tx,
                lost.delivery,
                rules.verdict_of(500, "", None, desk.clock()),
                desk.clock(),
                desk.clock(),
                0.0,
            )
        assert late.state is DeliveryState.DELIVERED


def test_no_two_claim_the_same(desk: Desk) -> None:
    with web_server() as web:
        for number in range(4):
            desk.hook(web.url(), f"hook {number}")
        desk.send(desk.message("m1"))
        with desk.database.transaction() as tx:
            first = outbox.claim(tx, desk.clock(), 2)
        with desk.database.transaction() as tx:
            second = outbox.claim(tx, desk.clock(), 8)
        with desk.database.transaction() as tx:
            assert outbox.claim(tx, desk.clock(), 8) == []
        ids = [one.delivery.id for one in (*first, *second)]
        assert len(first) == 2 and len(ids) == len(set(ids)) == 4


def test_postgresql_passes_over_what_another_holds(desk: Desk) -> None:
    if desk.database.path is not None:
        pytest.skip("SQLite has one writer at a time")
    with web_server() as web:
        for number in range(3):
            desk.hook(web.url(), f"hook {number}")
        desk.send(desk.message("m1"))
        with desk.database.transaction() as one:
            first = outbox.claim(one, desk.clock(), 1)
            with desk.database.transaction() as other:  # while the first is not committed
                second = outbox.claim(other, desk.clock(), 8)
        with desk.database.transaction() as tx:
            third = outbox.claim(tx, desk.clock(), 8)
        ids = [one.delivery.id for one in (*first, *second, *third)]
        assert len(first) == 1 and len(ids) == len(set(ids)) == 3


def test_nobody_hears_of_the_end_first(desk: Desk) -> None:
    with web_server() as web:
        desk.hook(web.url())
        web.answers.append((503, "", {}))
        desk.send(desk.message("a.firing", about="a"))
        desk.courier.deliver_due()
        desk.clock.move(seconds=1)
        desk.send(desk.message("a.resolved", about="a"))
        desk.send(desk.message("b.firing", about="b"))
        desk.courier.deliver_due()
        assert [b"b.firing" in hit.body for hit in web.hits] == [False, True]
        desk.clock.move(seconds=10)
        desk.courier.deliver_due()
        assert [
            name in hit.body for hit, name in zip(web.hits[2:], (b"a.firing", b"a.resolved"), strict=True)
        ] == [
            True,
            True,
        ]


def test_a_removed_channel_takes_its_secret_and_its_messages_along(desk: Desk) -> None:
    with web_server() as web:
        channel = desk.hook(web.url())
        sent = desk.send(desk.message("m1"))[0]
        with desk.database.transaction() as tx:
            channel_actions.remove_channel(desk.ctx, tx, channel.id)
        desk.courier.deliver_due()
        assert web.hits == []
        assert desk.delivery(sent.id)[0].state is DeliveryState.CANCELLED
        with desk.database.reading() as tx:
            assert secret_reads.names(tx, desk.workspace) == []
            assert store.channels_of(tx, desk.workspace) == []


def test_a_test_is_one_attempt(desk: Desk) -> None:
    with mail_server() as mail:
        channel = desk.mail(mail.port)
        delivered = outbox.test(desk.ctx, desk.post, channel.id, "acme")
        assert delivered.state is DeliveryState.DELIVERED
        assert "queued as 4711" in desk.delivery(delivered.id)[1][0].answer
        mail.refuses = lambda: True
        failed = outbox.test(desk.ctx, desk.post, channel.id, "acme")
        assert failed.state is DeliveryState.FAILED
        assert "421 connecting: 4.3.2 not now" in failed.error
        # one that was cut off is not sent later
        with desk.database.transaction() as tx:
            cut = outbox.begin_test(desk.ctx, tx, channel.id, "")
        desk.clock.move(hours=1)
        desk.courier.deliver_due()
        assert desk.delivery(cut.delivery.id)[0].state is DeliveryState.FAILED
        assert len(mail.letters) == 1


def test_old_receipts_go(desk: Desk) -> None:
    with web_server() as web:
        desk.hook(web.url())
        desk.send(desk.message("old"))
        desk.courier.deliver_due()
        desk.clock.move(days=91)
        desk.send(desk.message("new"))
        desk.courier.deliver_due()
        assert desk.states() == {("new", "hook"): "delivered"}
        with desk.database.reading() as tx:
            assert not store.deliveries_of_message(tx, "old")


def test_a_password_goes_to_no_other_server(desk: Desk) -> None:
    channel = desk.mail(25, user="ada", secret="hunter2", tls="starttls")
    moved = ChannelConfig(host="evil.test", port=25, user="ada", sender="a@b.test", recipients=("a@b.test",))
    master = sealing_key(desk.settings)
    with desk.database.transaction() as tx, pytest.raises(Invalid) as refused:
        channel_actions.change_channel(desk.ctx, tx, master, channel.id, name="mail", config=moved)
    assert refused.value.where == "secret"
