"""Options that a person typed. One that would be ignored is refused."""

import typer

from tagger.errors import TaggerError


def refuse_options(context: typer.Context, names: tuple[str, ...], reason: str) -> None:
    """TaggerError with the ``reason`` if one of these parameters was typed, even if it has its default value."""
    given = [
        max(parameter.opts, key=len)
        for parameter in context.command.params
        if parameter.name in names and _is_typed(context, parameter.name)
    ]
    if given:
        raise TaggerError(f"{', '.join(given)}: {reason}")


def refuse_all_but(context: typer.Context, names: tuple[str, ...], reason: str) -> None:
    """TaggerError with the ``reason`` if any other parameter than these was typed."""
    others = tuple(str(one.name) for one in context.command.params if one.name not in names)
    refuse_options(context, others, reason)


def refuse_on_existing(context: typer.Context, format: str) -> None:
    """TaggerError if ``--on-existing`` was typed for a format that has no sidecars."""
    from tagger.commands.writers import batch_formats, sidecar_formats

    if format in batch_formats.names():
        known = ", ".join(sidecar_formats.names())
        refuse_options(
            context, ("on_existing",), f"only for sidecars ({known}), not for {format}. Leave it out."
        )


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
