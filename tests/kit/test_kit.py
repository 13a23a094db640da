"""Every provider of the catalog passes the kit."""

from __future__ import annotations

from provider_kits import ArtaKit, CromicleKit, FakeGptKit, HailuoKit, HailuoLoginKit, MagickPenKit


class TestArta(ArtaKit):
    pass


class TestCromicle(CromicleKit):
    pass


class TestFakeGpt(FakeGptKit):
    pass


class TestHailuo(HailuoKit):
    pass


class TestMagickPen(MagickPenKit):
    pass


class TestHailuoLogin(HailuoLoginKit):
    pass
