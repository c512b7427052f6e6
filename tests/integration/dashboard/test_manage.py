"""Events, accounts and tokens in the browser: added, imported, changed, ended, restored, and audited."""

import io
import re
from typing import Any

import pytest
from sqlalchemy import Connection, delete, update

from resultsq.domain.role import Role
from resultsq.store.admin import accounts, addresses, people_copies, tokens
from resultsq.store.engine.tables import Account, ApiToken, Event
from tests.integration.dashboard.conftest import PASSWORD, LogIn, Person
from tests.support.nodes import StoreNode


@pytest.fixture
def admin(log_in: LogIn) -> Person:
    return log_in(Role.ADMIN)


def _actions(admin: Person) -> str:
    """The lines of the audit, without the list of actions above them."""
    return admin.page("/admin/audit").partition("<tbody>")[2]


def test_an_event_is_there_when_it_was_added_and_changed(sqlite_node: StoreNode, admin: Person) -> None:
    added = admin.post("/admin/events", slug="mill", name="Mill Lane", timezone="Europe/Berlin")
    assert added.status_code == 303
    assert "Europe/Berlin" in admin.page("/admin/events?q=mill")
    assert admin.post("/admin/events/mill", name="Mill Road", timezone="Europe/Paris").status_code == 303
    assert "Mill Road" in admin.page("/admin/events/mill")
    assert ">Event changed<" in _actions(admin)
    assert admin.get("/admin/events/nowhere").status_code == 404


def test_what_a_run_takes_at_an_event_is_chosen_and_changed(sqlite_node: StoreNode, admin: Person) -> None:
    admin.post("/admin/events", slug="mill", name="Mill Lane", run="junior")
    page = admin.page("/admin/events/mill")
    assert 'name="first_from" required maxlength="8" autocomplete="off" inputmode="numeric" value="00:06:00"' in page
    times = {"first_from": "7:00", "first_to": "30:00", "fastest": "6:30", "slowest": "2:00:00"}
    refused = admin.post("/admin/events/mill", name="Mill Lane", **{**times, "fastest": "8:00"})
    assert refused.status_code == 422
    assert "must rise" in refused.text
    assert 'value="8:00"' in refused.text
    assert admin.post("/admin/events/mill", name="Mill Lane", **times).status_code == 303
    assert 'value="00:06:30"' in admin.page("/admin/events/mill")
    assert "a run takes" in _actions(admin)
    assert admin.post("/admin/events/mill", name="Mill Lane", run="5k", **times).status_code == 303
    assert 'value="00:12:00"' in admin.page("/admin/events/mill")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"slug": "Mill Lane", "name": "x"}, "cannot be an event"),
        ({"slug": "bushy", "name": "x"}, "already an event called bushy"),
        ({"slug": "mill", "name": ""}, "needs a name"),
        ({"slug": "mill", "name": "x", "timezone": "Mars/Base"}, "is not a time zone"),
    ],
)
def test_the_form_says_why_and_keeps_what_was_typed_when_an_event_is_refused(
    admin: Person, fields: dict[str, str], said: str
) -> None:
    answer = admin.post("/admin/events", **fields)
    assert answer.status_code == 422
    assert said in answer.text
    assert f'value="{fields["slug"]}"' in answer.text


def test_a_list_is_shown_before_it_is_added(sqlite_node: StoreNode, admin: Person) -> None:
    text = "slug,name,timezone\nbushy,Bushy Park,Europe/London\nmill,Mill Lane,Europe/Berlin\n"
    preview = admin.post("/admin/events/import", file=(io.BytesIO(text.encode()), "events.csv"))
    assert "1 line is new and will be added." in preview.text
    assert "is here already" in preview.text
    assert "mill" not in admin.page("/admin/events?q=mill").partition("<tbody>")[2].partition("</tbody>")[0]
    assert admin.post("/admin/events/import", csv=text, sure="yes").status_code == 303
    assert "Mill Lane" in admin.page("/admin/events?q=mill")


@pytest.mark.parametrize("path", ["/admin/events/import", "/admin/people/import"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Choose a file, or paste the list."),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"slug,name\n", "no lines below its first"),
        (b"wrong,columns\na,b\n", "first line must be"),
        (b"slug,name\na,b,c\n", "Line 2 has more cells"),
    ],
)
def test_nothing_is_added_when_a_list_is_no_list(admin: Person, path: str, content: bytes, said: str) -> None:
    fields: dict[str, Any] = {"file": (io.BytesIO(content), "x.csv")} if content else {"csv": ""}
    answer = admin.post(path, **fields)
    assert answer.status_code == 422
    assert said in answer.text


def test_a_new_account_logs_in_with_the_password_that_its_link_takes(sqlite_node: StoreNode, admin: Person) -> None:
    answer = admin.post("/admin/people", name="jo", role="team", events="bushy richmond")
    (secret,) = re.findall(r"http://127.0.0.1:8080/password/([\w-]{40,})", answer.text)
    assert "<svg" in answer.text
    with sqlite_node.database.read() as conn:
        assert accounts.verify(conn, "jo", accounts.UNUSABLE) is None
    admin.client.get("/login")
    other = admin.client.application.test_client()
    page = other.get(f"/password/{secret}").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    done = other.post(f"/password/{secret}", data={"password": "wet hands again", "csrf_token": token[1]})
    assert done.status_code == 303
    with sqlite_node.database.read() as conn:
        assert accounts.verify(conn, "jo", "wet hands again") is not None
    assert secret not in _actions(admin)


def test_accounts_of_a_list_get_a_link_each(sqlite_node: StoreNode, admin: Person) -> None:
    text = "name,role,events\njo,team,bushy\nann,viewer,\n"
    assert "2 lines are new" in admin.post("/admin/people/import", csv=text).text
    made = admin.post("/admin/people/import", csv=text, sure="yes").text
    assert len(set(re.findall(r"/password/[\w-]{40,}", made))) == 2
    again = admin.post("/admin/people/import", csv=text, sure="yes")
    assert again.status_code == 422
    assert "Line 2: There is already an account called jo." in again.text


def test_ending_an_account_asks_first_and_can_be_undone(sqlite_node: StoreNode, admin: Person, log_in: LogIn) -> None:
    viewer = log_in(Role.VIEWER)
    name = f"viewer {sqlite_node.now:%H%M%S} False"
    dialog = admin.post("/admin/people/ask", name=name)
    assert f"End the account {name}?" in dialog.text
    assert viewer.get("/admin").status_code == 200, "a question changes nothing"
    assert admin.confirm(dialog).status_code == 303
    assert viewer.get("/admin").location.startswith("/login")
    assert admin.post("/admin/people/disable", name=name).status_code == 422, "it has ended already"
    assert admin.post("/admin/people/restore", name=name).status_code == 303
    with sqlite_node.database.read() as conn:
        assert accounts.verify(conn, name, PASSWORD) is not None
    assert {"ended", "restored"} <= set(re.findall(r">Account (\w+)<", _actions(admin)))


def test_a_token_is_shown_once_and_refused_when_it_was_revoked(sqlite_node: StoreNode, admin: Person) -> None:
    made = admin.post("/admin/tokens", role="team", event="bushy", label="laptop")
    (token,) = re.findall(r"rq_[\w-]{40,}", made.text)
    assert token not in admin.page("/admin/tokens")
    with sqlite_node.database.read() as conn:
        found = tokens.verify(conn, token)
    assert found is not None
    assert admin.confirm(admin.post(f"/admin/tokens/{found.id}/ask")).status_code == 303
    with sqlite_node.database.read() as conn:
        assert tokens.verify(conn, token) is None
    assert admin.post("/admin/tokens", role="team").status_code == 422
    assert admin.post("/admin/tokens", role="king").status_code == 422


def test_operators_manage_nobody(log_in: LogIn) -> None:
    operator = log_in(Role.OPERATOR)
    for path in ("/admin/events", "/admin/people", "/admin/tokens", "/admin/welcome"):
        assert operator.get(path).status_code == 403
        assert "Accounts" not in operator.page("/admin/holds")
    for path in ("/admin/events", "/admin/people", "/admin/tokens", "/admin/people/disable"):
        assert operator.post(path, name="x").status_code == 403


def test_a_new_node_shows_its_admin_the_first_steps(sqlite_node: StoreNode, admin: Person, log_in: LogIn) -> None:
    assert "First steps" not in admin.page("/admin")
    sqlite_node.database.write(lambda conn: conn.execute(delete(Event)))
    assert admin.get("/admin").location == "/admin/welcome"
    page = admin.page("/admin/welcome")
    assert "Add your events" in page
    assert "Only this machine can open that." in page
    assert log_in(Role.VIEWER).get("/admin").status_code == 200


def test_an_accounts_mail_address_is_saved_shown_to_admins_and_refused_when_it_is_none(
    sqlite_node: StoreNode, admin: Person, log_in: LogIn
) -> None:
    made = admin.post("/admin/people", name="mill", role="team", events="bushy", mail="jane@mill.example")
    assert made.status_code == 200
    assert "jane@mill.example" in admin.page("/admin/people?q=mill")
    assert admin.post("/admin/people/mail", name="mill", mail="joe@mill.example").status_code == 303
    refused = admin.post("/admin/people/mail", name="mill", mail="joe@mill.example, x@y.example")
    assert refused.status_code == 422
    assert "looks like name@example.org" in refused.text
    assert "joe@mill.example" in admin.page("/admin/people?q=mill")
    actions = _actions(admin)
    assert ">Mail address set<" in actions
    assert "@mill.example" not in actions, "the audit keeps no address"
    assert log_in(Role.OPERATOR).get("/admin/people").status_code == 403
    assert admin.post("/admin/people/mail", name="mill", mail="").status_code == 303
    assert "@mill.example" not in admin.page("/admin/people?q=mill")


def test_a_list_of_accounts_may_have_their_mail_addresses(sqlite_node: StoreNode, admin: Person) -> None:
    text = "name,role,events,mail\nmill,team,bushy,jane@mill.example\nlane,team,richmond,\n"
    assert "jane@mill.example" in admin.post("/admin/people/import", csv=text).text
    assert admin.post("/admin/people/import", csv=text, sure="1").status_code == 200
    page = admin.page("/admin/people")
    assert "jane@mill.example" in page
    wrong = admin.post("/admin/people/import", csv=text.replace("jane@mill", "jane mill"), sure="1")
    assert wrong.status_code == 422
    assert "Line 2: A mail address looks like" in wrong.text


def test_a_mails_reader_unsubscribes_with_one_click_and_without_a_login(sqlite_node: StoreNode, admin: Person) -> None:
    admin.post("/admin/people", name="mill", role="team", events="bushy", mail="jane@mill.example")
    with sqlite_node.database.read() as conn:
        secret = addresses.unsubscribe_secret(conn, "mill")
    reader = admin.client.application.test_client()
    asked = reader.get(f"/unsubscribe/{secret}")
    assert asked.status_code == 200
    assert asked.headers["Referrer-Policy"] == "no-referrer"
    assert reader.get("/unsubscribe/none").status_code == 200, "it does not say which secrets there are"
    with sqlite_node.database.read() as conn:
        assert not addresses.is_suppressed(conn, "jane@mill.example", notice=True), "looking changes nothing"
    done = reader.post(f"/unsubscribe/{secret}", data={"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200
    assert "no more of these mails" in done.text
    dead = reader.post("/unsubscribe/none")
    assert dead.status_code == 404
    assert "This link does not work any more" in dead.text
    assert "Log in" not in dead.text
    with sqlite_node.database.read() as conn:
        assert addresses.is_suppressed(conn, "jane@mill.example", notice=True)


def test_a_copy_of_another_nodes_account_is_marked_and_cannot_be_changed(sqlite_node: StoreNode, admin: Person) -> None:
    database = sqlite_node.database
    own = accounts.hash_password("some password")
    database.write(lambda conn: accounts.add(conn, sqlite_node.now, "team-9", own, Role.TEAM, ["bushy"]))
    token, number = database.write(lambda conn: tokens.issue_numbered(conn, sqlite_node.now, "app-9", Role.VIEWER))
    for shown in ("/admin/people?q=team-9", "/admin/events?q=bushy", "/admin/tokens?q=app-9"):
        assert ">copy</span>" not in admin.page(shown)
    assert "/admin/people/ask" in admin.page("/admin/people?q=team-9")

    def copied(conn: Connection) -> None:
        for table, these in ((Account, Account.name == "team-9"), (Event, Event.slug == "bushy"),
                             (ApiToken, ApiToken.id == number)):  # fmt: skip
            conn.execute(update(table).where(these).values(is_copy=True))
        people_copies.locked_state(conn)
        people_copies.write_state(conn, address="relay-1.example:443", made_at=sqlite_node.now, left_names=["ann"])

    database.write(copied)
    for shown in ("/admin/people?q=team-9", "/admin/events?q=bushy", "/admin/tokens?q=app-9"):
        assert ">copy</span>" in admin.page(shown)
    page = admin.page("/admin/people?q=team-9")
    assert "A copy is changed at relay-1.example:443 alone." in page
    assert "because an account of this node has its name: ann" in page
    assert "/admin/people/ask" not in page
    assert "/admin/events/bushy" not in admin.page("/admin/events?q=bushy")
    refused = [
        admin.post("/admin/people/disable", name="team-9"),
        admin.post("/admin/people/link", name="team-9"),
        admin.post("/admin/people/mail", name="team-9", mail="a@example.org"),
        admin.post("/admin/events/bushy", name="Mine"),
        admin.post(f"/admin/tokens/{number}/revoke"),
    ]
    assert [answer.status_code for answer in refused] == [409] * 5
    assert "This is a copy from relay-1.example:443." in refused[0].text
    with database.read() as conn:
        assert tokens.verify(conn, token) is not None
