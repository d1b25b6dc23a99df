"""What runs on your machine: packages a bundle for AWS Lambda, deploys it, and watches over it."""
