"""Which models each upstream may be asked for, as far as a configuration names them: those need a price."""

from __future__ import annotations

from holdfast.gateway.model import Configuration


def models_asked(configured: Configuration) -> dict[str, set[str]]:
    """Upstream → the models that it lists or has a price for, or that a chain or a client's model name leads to."""
    found = {name: {*one.models, *one.prices} for name, one in configured.upstreams.items()}
    from_clients = {model for key in configured.keys.values() for model in key.models}
    for route in configured.routes.values():
        asked = from_clients | set(route.models)
        names = [route.release, *(one.release for one in route.variants)]
        names += [route.shadow.release] if route.shadow else []
        for release in (configured.releases[name] for name in names if name in configured.releases):
            for target in release.chain:
                if target.upstream in found:
                    found[target.upstream] |= {target.model} if target.model else asked
    for release in configured.releases.values():  # also what no route leads to yet
        for target in release.chain:
            if target.upstream in found and target.model:
                found[target.upstream].add(target.model)
    return found
