"""The provider `aws`: instances of EC2, by the SDK boto3."""
