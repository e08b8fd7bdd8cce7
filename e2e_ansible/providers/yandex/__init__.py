"""The provider `yandex`: instances of Yandex Compute Cloud, by its SDK `yandexcloud` over gRPC."""
