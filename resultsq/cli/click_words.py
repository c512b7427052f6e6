"""What Click itself says to people, for the translators: it makes these sentences by itself, where we cannot mark them.

A test holds the list against the installed Click.
"""

from resultsq.domain.i18n import gettext_noop, ngettext_noop

WORDS = (
    gettext_noop("Aborted!"),
    gettext_noop("Options"),
    gettext_noop("Commands"),
    gettext_noop("Usage:"),
    gettext_noop("Show the version and exit."),
    gettext_noop("Show this message and exit."),
    gettext_noop("%(prog)s, version %(version)s"),
    gettext_noop("default: {default}"),
    gettext_noop("required"),
    gettext_noop("Error: {message}"),
    gettext_noop("Error: invalid input"),
    gettext_noop("Try '{command} {option}' for help."),
    gettext_noop("Missing command."),
    gettext_noop("Missing argument"),
    gettext_noop("Missing option"),
    gettext_noop("Missing parameter"),
    gettext_noop("Invalid value: {message}"),
    gettext_noop("Invalid value for {param_hint}: {message}"),
    gettext_noop("No such option {name!r}."),
    gettext_noop("No such command {name!r}."),
    gettext_noop("Choose from:\n\t{choices}"),
    gettext_noop("{value!r} is not a valid {number_type}."),
    gettext_noop("{value} is not in the range {range}."),
    gettext_noop("{name} {filename!r} does not exist."),
    gettext_noop("{name} {filename!r} is a file."),
    gettext_noop("{name} {filename!r} is a directory."),
    gettext_noop("{name} {filename!r} is not readable."),
    gettext_noop("{name} {filename!r} is not writable."),
    gettext_noop("Option {name!r} does not take a value."),
)
COUNTED = (
    ngettext_noop("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})"),
    ngettext_noop("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)"),
    ngettext_noop("{value!r} is not {choice}.", "{value!r} is not one of {choices}."),
    ngettext_noop("{value!r} does not match the format {format}.", "{value!r} does not match the formats {formats}."),
    ngettext_noop("Option {name!r} requires an argument.", "Option {name!r} requires {nargs} arguments."),
)

NOT_SAID = (
    "deprecated",
    "DeprecationWarning: The command {name!r} is deprecated.{extra_message}",
    "DeprecationWarning: The {param_type} {name!r} is deprecated.{extra_message}",
    "Positional arguments",
    "env var: {var}",
    "(dynamic)",
    "Value must be an iterable.",
    "Takes {nargs} values but 1 was given.",
    "Name '{name}' defined twice",
    "Boolean option {decl!r} cannot use the same flag for true/false.",
    "Could not determine name for option with declarations {decls!r}",
    "No options defined but a name was passed ({name}). Did you mean to declare an argument instead? Did you mean to "
    "pass '--{name}'?",
    "Arguments take exactly one parameter declaration, got {length}: {decls}.",
    "Missing {param_type}",
    "Missing parameter: {param_name}",
    "unknown error",
    "Could not open file {filename!r}: {message}",
    "Choice({choices})",
    "{value!r} is not a valid boolean. Recognized values: {states}",
    "{value!r} is not a valid UUID.",
    "file",
    "directory",
    "path",
    "{name} {filename!r} is not executable.",
    "{len_type} values are required, but {len_value} was given.",
    "Invalid start character for option ({option})",
    "Argument {name!r} takes {nargs} values.",
    "Do you want to continue?",
    "Confirm the action without prompting.",
    "Repeat for confirmation",
    "Error: The two entered values do not match.",
    "Unknown color {colour!r}",
    "Press any key to continue...",
)
"""What only a programmer is told, or none of our commands can cause. Names of files and folders are `PathParam`'s."""
