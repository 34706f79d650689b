"""``modal-nb deploy``, ``app`` and ``environment``: what is deployed in this home."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from modal_nb.cli import traces
from modal_nb.cli.loading import IsModule, load
from modal_nb.cli.misuse import Misuse
from modal_nb.cli.output import Json, commands, doing, print_json, print_table
from modal_nb.client import session
from modal_nb.client.environments import environment_name
from modal_nb.client.lookups import DeployedApp
from modal_nb.exception import InvalidError
from modal_nb.protocol import deployment as dp
from modal_nb.protocol import messages as ms
from modal_nb.protocol.connection import places

deploy = commands()
group = commands("Deployed apps: list them, read what they print, stop them.")
environments = commands("Environments: namespaces of deployed apps, Dicts and Queues.")

Name = Annotated[str, typer.Argument(help="The app.")]
Environment = Annotated[
    str | None, typer.Option("--env", "-e", help="The environment; default: MODAL_NB_ENVIRONMENT, or main.")
]


@deploy.command()
def command(
    target: Annotated[
        str,
        typer.Argument(metavar="FILE[::APP]", help="A file, or with -m a module; the variable of the app."),
    ],
    *,
    name: Annotated[str | None, typer.Option(help="In place of the app's own name.")] = None,
    env: Environment = None,
    tag: Annotated[str, typer.Option(help="Shown in lists.")] = "",
    strategy: Annotated[
        str, typer.Option(help="rolling, or recreate: end old containers first.")
    ] = "rolling",
    module: IsModule = False,
) -> None:
    """Deploy an app: it runs on when this command ends, and is found by its name."""
    from modal_nb.cli.target import app_of  # noqa: PLC0415 - the lists need nothing of it

    with traces.of_user_code():
        app = app_of(load(target, [], is_module=module))
        with doing("Deploying"):
            app.deploy(name=name, environment_name=env, tag=tag, strategy=strategy)  # type: ignore[arg-type]
    app_name = name or app.name
    # not from the list of what is deployed: somebody else may have been faster
    live = app.running()
    assert isinstance(live, DeployedApp)
    names = sorted({*app.registered_classes, *app.registered_functions})
    typer.echo(f"Deployed {app_name}, version {live.version}: {', '.join(names)}")


@group.command("list")
def show(*, env: Environment = None, json: Json = False) -> None:
    """List what is deployed, in all environments or in one, and the versions before."""
    found = [] if not _anything() else _listed(env or "")
    if json:
        print_json([one.content() for one in found])
        return
    if not found:
        typer.echo("No app is deployed.")
        return
    rows = [
        (
            one.name,
            one.environment,
            one.version,
            one.state,
            f"{dt.datetime.fromtimestamp(one.created).astimezone():%Y-%m-%d %H:%M}",
            one.tag,
            ", ".join(one.classes),
        )
        for one in found
    ]
    print_table(["app", "environment", "version", "state", "deployed", "tag", "classes"], rows, whole=["app"])


@group.command()
def stop(name: Name, *, env: Environment = None) -> None:
    """End a deployed app: waiting inputs fail, containers run their exit hooks; it is not found any more."""
    with doing("Ending its containers"):
        asked = dp.DeployedAppStop(environment=environment_name(env), app_name=name)
        session.current().ask(asked, ms.Done)
    typer.echo(f"Stopped {name}.")


@group.command()
def logs(
    name: Name,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on, also with containers to come.")
    ] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", min=0, help="Only so many lines of each container.")
    ] = None,
) -> None:
    """Print what the living containers of an app have printed; each line begins with its container."""
    from modal_nb.cli import container_log  # noqa: PLC0415 - the lists need nothing of it

    container_log.show_app(name, tail=tail, follow=follow)


@environments.command("list")
def environment_list(*, json: Json = False) -> None:
    """List the environments of this home."""
    found = (
        [dp.MAIN] if not _anything() else session.current().ask(dp.EnvironmentsAsk(), dp.Environments).names
    )
    if json:
        print_json(found)
    else:
        typer.echo("\n".join(found))


@environments.command()
def create(name: Annotated[str, typer.Argument(help="Its name.")]) -> None:
    """Make an environment."""
    try:
        checked = environment_name(name)
    except InvalidError as error:
        raise Misuse(str(error)) from None
    session.current().ask(dp.EnvironmentCreate(name=checked), ms.Done)


def _anything() -> bool:
    """Whether something was ever stored: if not, no supervisor is started to say so."""
    return places().store.exists()


def _listed(environment: str) -> list[dp.DeployedApp]:
    return session.current().ask(dp.DeployedAppsAsk(environment=environment), dp.DeployedApps).apps
